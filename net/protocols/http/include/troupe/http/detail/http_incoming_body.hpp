#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/promise.hpp>

namespace troupe::detail {

/// The body of a request or of a response, as it comes: what nobody has read yet, and who waits for it.
///
/// A read that is cancelled takes nothing: the next one gets what came.
///
/// Thread: that of its connection.
class http_incoming_body {
public:
  /// How much a read gives; and if as much waits unread, no more should come.
  static constexpr std::size_t largest_piece = 64 * 1024;

  std::string text;   // what came and nobody has read
  bool ended = false; // all of it came
  failure broken;     // why no more comes

  [[nodiscard]] bool awaited() const noexcept { return reader_ && !reader_->called(); }
  [[nodiscard]] bool full() const noexcept { return !awaited() && text.size() >= largest_piece; }

  /// Begins a read, which `hand` ends: of the next piece, or of all there is, up to `limit`.
  ///
  /// \throws std::logic_error while another one waits
  [[nodiscard]] deferred<std::string> read(bool all, std::size_t limit);

  /// Gives a reader what there is for it.
  ///
  /// \returns false if that is more than it wants; then `fail` is called
  [[nodiscard]] bool hand();

  /// Says that no more comes, and why; a first reason stays.
  void fail(const failure& why);

  /// Forgets all of it, for another message.
  void clear();

private:
  std::optional<promise<std::string>> reader_;
  std::size_t limit_ = 0; // of a reader that wants all
  bool wants_all_ = false;
};

} // namespace troupe::detail
