#include <troupe/http/http_multipart.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <troupe/http/http_status.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/threads.hpp>

namespace troupe {

namespace {

constexpr std::size_t largest_piece = 64 * 1024;

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const auto n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      fail_with_errno("a file of a form");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

// Opens a file that has no name, or had one for a moment where the file system knows no other way.
file_descriptor open_nameless(const std::string& folder) {
  file_descriptor fd{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (fd)
    return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    fail_with_errno("a file in " + folder);
  auto path = folder + "/troupe-form-XXXXXX";
  fd = file_descriptor{::mkostemp(path.data(), O_CLOEXEC)};
  if (!fd)
    fail_with_errno("a file in " + folder);
  ::unlink(path.c_str());
  return fd;
}

std::string folder_of(const http_multipart_options& options) {
  if (!options.folder.empty())
    return std::string{options.folder};
  const char* const told = ::secure_getenv("TMPDIR");
  return told != nullptr && *told != 0 ? told : "/tmp";
}

} // namespace

void http_form_file::save(const std::string& path) const {
  const file_descriptor to{
    ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!to)
    fail_with_errno(path);
  try {
    if (in_memory())
      return write_all(to.get(), text_);
    std::string piece(largest_piece, '\0');
    for (std::uint64_t at = 0; at < size_;) {
      const auto n =
        ::pread(descriptor_->get(), piece.data(), piece.size(), static_cast<off_t>(at));
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        throw std::system_error(n < 0 ? errno : EIO, std::generic_category(), path);
      write_all(to.get(), std::string_view{piece}.substr(0, static_cast<std::size_t>(n)));
      at += static_cast<std::uint64_t>(n);
    }
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

const http_form_file* http_multipart::find_file(std::string_view name) const noexcept {
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const http_form_file& f) { return f.name() == name; });
  return found == files.end() ? nullptr : &*found;
}

namespace detail {

/// A form as it comes: what was read, and what is to be written.
class http_multipart_reading {
public:
  http_multipart_reading(std::string_view boundary, const http_multipart_options& options)
    : options_(options), parser_(boundary, options_.limits) {}

  /// Takes bytes off the front of `in`, up to where something is to be written, or there are none left.
  void take(std::string_view& in) {
    const auto size = in.size();
    while (!to_write_) {
      switch (parser_.next(in)) {
      case http_multipart_parser::event::more:
        return count(size);
      case http_multipart_parser::event::part:
        begin_part();
        break;
      case http_multipart_parser::event::data:
        take_data(parser_.data());
        break;
      case http_multipart_parser::event::part_end:
        end_part();
        break;
      case http_multipart_parser::event::end:
        break;
      case http_multipart_parser::event::refused:
        throw http_error{parser_.status(),
                         std::string{"The form cannot be read: "} + parser_.reason() + '.'};
      }
    }
    count(size - in.size());
  }

  /// Writes what is to be written: in a thread, while nothing else is called.
  struct writing {
    std::shared_ptr<file_descriptor> file; // null: it is to be made
    std::string data;
  };
  [[nodiscard]] bool must_write() const noexcept { return to_write_; }
  [[nodiscard]] writing what_to_write() {
    auto& file = form_.files.back();
    return {file.descriptor_, std::exchange(file.text_, {})};
  }
  void written(std::shared_ptr<file_descriptor> file) {
    form_.files.back().descriptor_ = std::move(file);
    to_write_ = false;
  }

  [[nodiscard]] http_multipart finish() {
    if (!parser_.ended())
      throw http_error{400, "The form is not whole."};
    return std::move(form_);
  }

private:
  void count(std::size_t size) {
    came_ += size;
    if (came_ > options_.max_body)
      throw http_error{413, "The form is longer than allowed."};
  }

  void begin_part() {
    is_file_ = parser_.filename().has_value();
    if (!is_file_) {
      value_.clear();
      return count_field(parser_.name().size());
    }
    auto& file = form_.files.emplace_back();
    file.name_ = parser_.name();
    file.client_name_ = *parser_.filename();
    file.content_type_ = parser_.content_type();
  }

  void take_data(std::string_view data) {
    if (!is_file_) {
      count_field(data.size());
      value_ += data;
      return;
    }
    auto& file = form_.files.back();
    file.size_ += data.size();
    file.text_ += data;
    to_write_ = file.text_.size() > (file.descriptor_ ? largest_piece : options_.max_in_memory);
    if (to_write_ && !file.descriptor_ && ++on_disk_ > options_.max_files_on_disk)
      throw http_error{413, "The form has more large files than allowed."};
  }

  void end_part() {
    if (!is_file_)
      return form_.fields.add(parser_.name(), std::exchange(value_, {}));
    const auto& file = form_.files.back();
    to_write_ = file.descriptor_ != nullptr && !file.text_.empty();
  }

  void count_field(std::size_t size) {
    fields_size_ += size;
    if (fields_size_ > options_.max_fields)
      throw http_error{413, "The fields of the form are longer than allowed."};
  }

  const http_multipart_options options_;
  http_multipart_parser parser_;
  http_multipart form_;
  std::string value_; // of a field
  std::uint64_t came_ = 0;
  std::size_t fields_size_ = 0;
  std::size_t on_disk_ = 0;
  bool is_file_ = false;  // the present part
  bool to_write_ = false; // the text of the last file
};

} // namespace detail

namespace {

deferred<http_multipart> read_parts(http_request r, std::string boundary, std::string folder,
                                    http_multipart_options options) {
  detail::http_multipart_reading reading{boundary, options};
  for (;;) {
    const auto piece = co_await r.read();
    if (piece.empty())
      break;
    for (std::string_view in = piece; !in.empty();) {
      reading.take(in);
      if (!reading.must_write())
        continue;
      if (!r.connected())
        failure{errc::connection_lost}.raise();
      auto work = reading.what_to_write();
      auto writing = defer_to_thread(r.actor(), [work = std::move(work), folder]() mutable {
        if (!work.file)
          work.file = std::make_shared<file_descriptor>(open_nameless(folder));
        write_all(work.file->get(), work.data);
        return std::move(work.file);
      });
      auto written = co_await std::move(writing);
      reading.written(std::move(written));
    }
  }
  co_return reading.finish();
}

} // namespace

deferred<http_multipart> read_multipart(http_request r, http_multipart_options options) {
  auto boundary =
    http_multipart_parser::boundary_of(r.field("Content-Type").value_or(std::string_view{}));
  if (!boundary)
    return fail<http_multipart>(http_error{415, "This takes a form of parts."});
  if (const auto length = r.head().content_length(); length && *length > options.max_body)
    return fail<http_multipart>(http_error{413, "The form is longer than allowed."});
  return read_parts(std::move(r), *std::move(boundary), folder_of(options), options);
}

} // namespace troupe
