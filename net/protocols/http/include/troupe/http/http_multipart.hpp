#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_form.hpp>
#include <troupe/http/http_multipart_parser.hpp>
#include <troupe/net/file_descriptor.hpp>

namespace troupe {

namespace detail {
class http_multipart_reading;
}

/// A file that a client has sent in a form: in memory if it is small, else in a file of the system that has no name, and
/// is gone with the last copy of this.
///
/// Thread: any, but not two at once.
class http_form_file {
public:
  /// The field of the form that it was chosen for.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// How the client calls it: its word, with or without a path. Never use it as a path here.
  [[nodiscard]] const std::string& client_name() const noexcept { return client_name_; }

  /// What the client says it is, or nothing: its word, too.
  [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }

  /// Bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// Tells whether its bytes are in `text()`; else they are in `descriptor()`, from offset 0.
  [[nodiscard]] bool in_memory() const noexcept { return !descriptor_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_ ? descriptor_->get() : -1; }

  /// Writes it to a new file, which only its owner may read. It waits for the disk: call it by `defer_to_thread`.
  ///
  /// \throws std::system_error if there is such a file, or it cannot be written; then nothing is left of it
  void save(const std::string& path) const;

private:
  friend class detail::http_multipart_reading;

  std::string name_;
  std::string client_name_;
  std::string content_type_;
  std::uint64_t size_ = 0;
  std::string text_;
  std::shared_ptr<file_descriptor> descriptor_;
};

/// A form with its files, in the order in which they came.
struct http_multipart {
  http_arguments fields;
  std::vector<http_form_file> files;

  /// Returns the first file of that field; null if there is none.
  [[nodiscard]] const http_form_file* find_file(std::string_view name) const noexcept;
};

/// What `read_multipart` takes.
struct http_multipart_options {
  http_multipart_limits limits{};

  /// Bytes of the whole body; 413.
  std::uint64_t max_body = 32 * 1024 * 1024;

  /// Bytes of all fields together, which are in memory; 413.
  std::size_t max_fields = 1024 * 1024;

  /// A file that is longer goes to disk.
  std::size_t max_in_memory = 64 * 1024;

  /// How many do, each of which has a descriptor of its own; 413.
  std::size_t max_files_on_disk = 16;

  /// Where it goes: a folder; empty is that of the system for such files. Good until `read_multipart` has returned.
  std::string_view folder{};
};

/// Reads the body as a form that may have files (`multipart/form-data`), piece by piece: it takes as much memory as its
/// fields and small files, and a thread writes what is large. Reading pauses meanwhile.
///
/// ```cpp
/// deferred<http_response> upload(http_request r) {
///   const auto form = co_await read_multipart(r);
///   const auto* const picture = form.find_file("picture");
///   if (picture == nullptr)
///     throw http_error{400, "There is no picture."};
///   co_return http_response{200, std::to_string(picture->size()) + " bytes\n"};
/// }
/// ```
///
/// A part with a file's name is a file, also if that is empty, as browsers send for a file that nobody chose.
///
/// Fails with: an `http_error` 415 if it is no such form (Content-Type), 413 if it is too long or has too many parts, 400 or
/// 431 if it cannot be read (`http_multipart_parser`); `std::system_error` if the disk is full; as `http_request::read`
/// Source: RFC 7578
[[nodiscard]] deferred<http_multipart> read_multipart(http_request r,
                                                      http_multipart_options options = {});

} // namespace troupe
