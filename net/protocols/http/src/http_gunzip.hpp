#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <troupe/http/detail/http_unpacker.hpp>

namespace troupe::detail {

/// Unpacks gzip. Members that follow each other are one text. Memory: 44 KiB from the first byte on.
///
/// Source: RFC 1952
class http_gunzip final : public http_unpacker {
public:
  http_gunzip();
  ~http_gunzip() override;

  bool step(std::string_view& in, std::string& out, std::size_t room) override;
  [[nodiscard]] bool whole() const noexcept override { return between_; }

private:
  struct stream;
  std::unique_ptr<stream> stream_;
  bool between_ = true; // members
};

} // namespace troupe::detail
