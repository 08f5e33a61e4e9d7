#include <troupe/http/static_files.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <troupe/http/http_date.hpp>
#include <troupe/http/http_request.hpp>
#include <troupe/http/http_status.hpp>
#include <troupe/http/http_text.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/threads.hpp>

#include "file_conditions.hpp"
#include "file_ranges.hpp"

namespace troupe {

namespace {

using detail::file_range;

struct shared_root {
  file_descriptor folder;
  static_files_options options;
};
using root_ptr = std::shared_ptr<const shared_root>;

// What there is for a path.
struct looked_up {
  enum class kind : std::uint8_t {
    file,
    redirect,
    listing,
    forbidden,
    missing,
    again
  } what = kind::missing;
  std::shared_ptr<file_descriptor> file{}; // shared, as the answer of a thread is copied
  struct ::stat status {};
  std::string name{}; // of the file, from which its type follows
  std::string coding{};
  std::string page{}; // a listing
};

int open_below(int folder, const std::string& path, int flags, bool cached) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  how.resolve =
    RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (cached ? std::uint64_t{RESOLVE_CACHED} : 0);
  return static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how));
}

bool accepts(std::string_view list, std::string_view coding) {
  for (std::string_view one; next_http_element(list, one);) {
    const auto semicolon = one.find(';');
    if (!equal_without_case(trim_http(one.substr(0, semicolon)), coding))
      continue;
    if (semicolon == std::string_view::npos)
      return true;
    const auto weight = trim_http(one.substr(semicolon + 1));
    return weight.find_first_of("123456789", weight.find('=')) != std::string_view::npos;
  }
  return false;
}

std::string size_for_people(off_t size) {
  constexpr std::array<char, 4> units{'B', 'K', 'M', 'G'};
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < units.size(); ++unit)
    size /= 1024;
  return std::to_string(size) + units[unit];
}

// Lists a folder, folders with a "/" at their ends. Takes the descriptor.
std::string list_folder(int fd, bool dot_files) {
  std::vector<std::pair<std::string, off_t>> entries;
  auto* const dir = ::fdopendir(fd);
  if (dir == nullptr) {
    ::close(fd);
    return {};
  }
  while (const auto* const entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    struct ::stat s {};
    if (name == "." || name == ".." || (name.front() == '.' && !dot_files)
        || ::fstatat(::dirfd(dir), name.c_str(), &s, 0) != 0)
      continue;
    if (S_ISDIR(s.st_mode))
      entries.emplace_back(name + "/", -1);
    else if (S_ISREG(s.st_mode))
      entries.emplace_back(name, s.st_size);
  }
  ::closedir(dir);
  std::ranges::sort(entries);
  std::string page = "<!DOCTYPE html>\n<title>Index</title>\n<table>\n"
                     "<tr><td><a href=\"../\">../</a><td>\n";
  for (const auto& [name, size] : entries)
    page += "<tr><td><a href=\"./" + percent_encode(name, "/") + "\">" + html_escape(name)
            + "</a><td>" + (size < 0 ? std::string{} : size_for_people(size)) + "\n";
  return page + "</table>\n";
}

// Looks a path up; with `cached` only in the system's memory, and `again` says that more is needed.
looked_up look_up(const shared_root& root, const std::string& path, bool slash,
                  const std::string& codings, bool cached) {
  using kind = looked_up::kind;
  const auto& o = root.options;
  looked_up found;
  const auto failed = [&](int error) {
    found.what = error == EAGAIN && cached ? kind::again
                 : error == EACCES         ? kind::forbidden
                                           : kind::missing;
    return found;
  };
  const auto open = [&](const std::string& name) {
    const int fd = open_below(root.folder.get(), name, 0, cached);
    return std::make_shared<file_descriptor>(fd);
  };
  auto name = path.empty() ? std::string{"."} : path;
  found.file = open(name);
  if (!*found.file)
    return failed(errno);
  if (::fstat(found.file->get(), &found.status) != 0)
    return failed(errno);
  if (S_ISDIR(found.status.st_mode)) {
    if (!slash) {
      found.what = kind::redirect;
      return found;
    }
    const auto folder = path.empty() ? std::string{} : path + "/";
    bool has_index = false;
    for (const auto& index : o.index) {
      auto file = open(folder + index);
      if (!*file) {
        if (errno == EAGAIN && cached)
          return failed(EAGAIN);
        continue;
      }
      if (::fstat(file->get(), &found.status) == 0 && S_ISREG(found.status.st_mode)) {
        found.file = std::move(file);
        name = folder + index;
        has_index = true;
        break;
      }
    }
    if (!has_index) {
      found.what = kind::forbidden;
      if (!o.listing)
        return found;
      if (cached)
        return failed(EAGAIN);
      found.what = kind::listing;
      found.page = list_folder(found.file->release(), o.dot_files);
      return found;
    }
  } else if (slash || !S_ISREG(found.status.st_mode)) {
    return found;
  }
  found.what = kind::file;
  found.name = name;
  if (o.precompressed && !codings.empty())
    for (const auto& [coding, extension] : {std::pair{"br", ".br"}, std::pair{"gzip", ".gz"}}) {
      if (!accepts(codings, coding))
        continue;
      auto file = open(name + extension);
      struct ::stat s {};
      if (!*file) {
        if (errno == EAGAIN && cached)
          return failed(EAGAIN);
      } else if (::fstat(file->get(), &s) == 0 && S_ISREG(s.st_mode)) {
        found.file = std::move(file);
        found.status = s;
        found.coding = coding;
        break;
      }
    }
  return found;
}

std::string tag_of(const looked_up& found) {
  std::array<char, 64> text;
  const auto& s = found.status;
  const auto n = std::snprintf(text.data(), text.size(), "\"%llx-%llx%s\"",
                               static_cast<unsigned long long>(s.st_size),
                               static_cast<unsigned long long>(s.st_mtim.tv_sec) * 1'000'000'000
                                 + static_cast<unsigned long long>(s.st_mtim.tv_nsec),
                               found.coding.empty() ? "" : ("-" + found.coding).c_str());
  return {text.data(), static_cast<std::size_t>(n)};
}

// Several parts of a file, as multipart/byteranges: texts in between, and what they stand in front of.
class file_parts final : public http_body_source {
public:
  struct part {
    std::string head;
    file_range range;
  };

  file_parts(http_request request, std::shared_ptr<file_descriptor> file, std::vector<part> parts,
             std::string end)
    : request_(std::move(request)), file_(std::move(file)), parts_(std::move(parts)),
      end_(std::move(end)) {}

  deferred<std::string> read() override {
    if (at_ == parts_.size())
      return succeed(std::exchange(end_, {}));
    auto& part = parts_[at_];
    if (!part.head.empty())
      return succeed(std::exchange(part.head, {}));
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(part.range.size, 64 * 1024));
    const auto begin = part.range.begin;
    part.range.begin += size;
    part.range.size -= size;
    if (part.range.size == 0)
      ++at_;
    return defer_to_thread(request_.actor(), [file = file_, begin, size] {
      std::string data(size, '\0');
      if (::pread(file->get(), data.data(), size, static_cast<off_t>(begin))
          != static_cast<ssize_t>(size))
        throw std::system_error(std::make_error_code(std::errc::io_error), "a file became shorter");
      return data;
    });
  }

private:
  http_request request_;
  std::shared_ptr<file_descriptor> file_;
  std::vector<part> parts_;
  std::string end_;
  std::size_t at_ = 0;
};

std::string content_range(const file_range& r, std::uint64_t size) {
  return "bytes " + std::to_string(r.begin) + "-" + std::to_string(r.begin + r.size - 1) + "/"
         + std::to_string(size);
}

void add_parts(http_response& response, const http_request& request, const looked_up& found,
               const std::vector<file_range>& ranges, std::string_view type,
               const std::string& tag) {
  const auto size = static_cast<std::uint64_t>(found.status.st_size);
  // It must not be in the file: nobody but the owner of the file can make it so.
  const auto boundary = "troupe-" + tag.substr(1, tag.size() - 2) + "-parts";
  std::vector<file_parts::part> parts;
  std::uint64_t whole = 0;
  for (const auto& range : ranges) {
    auto head = (parts.empty() ? "--" : "\r\n--") + boundary
                + "\r\nContent-Type: " + std::string{type}
                + "\r\nContent-Range: " + content_range(range, size) + "\r\n\r\n";
    whole += head.size() + range.size;
    parts.push_back({std::move(head), range});
  }
  auto end = "\r\n--" + boundary + "--\r\n";
  whole += end.size();
  response.type("multipart/byteranges; boundary=" + boundary)
    .body(std::make_unique<file_parts>(request, found.file, std::move(parts), std::move(end)),
          whole);
}

http_response answer_file(const shared_root& root, const http_request& r, const looked_up& found) {
  const auto now = std::time(nullptr);
  const auto changed = found.status.st_mtim.tv_sec;
  const auto size = static_cast<std::uint64_t>(found.status.st_size);
  const auto tag = tag_of(found);
  http_response response;
  response.add("ETag", tag)
    .add("Last-Modified", format_http_date(changed))
    .add("Accept-Ranges", "bytes");
  if (!root.options.cache_control.empty())
    response.add("Cache-Control", root.options.cache_control);
  if (root.options.precompressed)
    response.add("Vary", "Accept-Encoding");
  response.set_status(detail::check_conditions(r.head(), tag, changed, now));
  if (response.status() == 304)
    return response;
  if (response.status() == 412)
    return response.type(http_response::plain_text).body(std::string{"Precondition Failed\n"}),
           std::move(response);
  std::string_view type = http_content_type(found.name);
  if (const auto dot = found.name.rfind('.'); dot != std::string::npos)
    if (const auto own = root.options.types.find(found.name.substr(dot + 1));
        own != root.options.types.end())
      type = own->second;
  response.type(type);
  if (!found.coding.empty())
    response.add("Content-Encoding", found.coding);
  const auto whole = [&] {
    response.body(http_file{std::move(*found.file), 0, size});
    return std::move(response);
  };
  const auto field = r.field("Range");
  if (!field || r.method() != "GET" || !detail::range_applies(r.head(), tag, changed, now))
    return whole();
  const auto ranges = detail::parse_ranges(*field, size);
  if (!ranges)
    return whole();
  if (ranges->empty()) {
    response.remove("Content-Encoding");
    response.set_status(416);
    response.type(http_response::plain_text)
      .set("Content-Range", "bytes */" + std::to_string(size));
    response.body(std::string{"Range Not Satisfiable\n"});
    return response;
  }
  response.set_status(206);
  if (ranges->size() == 1) {
    response.set("Content-Range", content_range(ranges->front(), size));
    response.body(http_file{std::move(*found.file), ranges->front().begin, ranges->front().size});
  } else {
    add_parts(response, r, found, *ranges, type, tag);
  }
  return response;
}

http_response answer_for(const shared_root& root, const http_request& r, const looked_up& found) {
  using kind = looked_up::kind;
  switch (found.what) {
  case kind::file:
    return answer_file(root, r, found);
  case kind::redirect: {
    // As a path of this host: "//x/.." would be another one's.
    auto to = std::string{r.path()};
    to.erase(0, to.find_first_not_of('/') == std::string::npos ? 0 : to.find_first_not_of('/'));
    to = "/" + to + "/";
    if (!r.query().empty())
      (to += '?') += r.query();
    return http_response::redirect(to, 301);
  }
  case kind::listing:
    return http_response::html(found.page);
  case kind::forbidden:
    return {403, "Forbidden\n"};
  case kind::missing:
  case kind::again:
    break;
  }
  return {404, "Not Found\n"};
}

// Returns the path below the folder that a path of a URL means, and whether it ends with "/"; nothing if
// it means none.
std::optional<std::pair<std::string, bool>> path_below(std::string_view rest, bool dot_files) {
  std::string path;
  bool slash = true;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const auto segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    slash = segment.empty();
    if (slash) {
      if (!rest.empty())
        return {}; // an empty name
      break;
    }
    const auto name = percent_decode(segment);
    if (!name)
      throw http_error{400, "The path cannot be decoded."};
    if (name->find('/') != std::string::npos || name->find('\0') != std::string::npos
        || *name == "." || *name == ".." || (name->front() == '.' && !dot_files))
      return {};
    if (!path.empty())
      path += '/';
    path += *name;
  }
  return std::pair{std::move(path), slash};
}

} // namespace

http_handler static_files(const std::string& root, static_files_options options) {
  const int fd = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::system_category(), "static_files: " + root);
  auto shared =
    std::make_shared<const shared_root>(shared_root{file_descriptor{fd}, std::move(options)});
  return [shared](http_request r) -> http_reply {
    if (r.method() != "GET" && r.method() != "HEAD") {
      http_response refused{r.method() == "OPTIONS" ? 204 : 405};
      return std::move(refused.set("Allow", "GET, HEAD, OPTIONS"));
    }
    auto path = path_below(r.rest(), shared->options.dot_files);
    if (!path)
      return http_response{404, "Not Found\n"};
    auto codings =
      shared->options.precompressed ? r.fields().joined("Accept-Encoding") : std::string{};
    auto found = look_up(*shared, path->first, path->second, codings, true);
    if (found.what != looked_up::kind::again)
      return answer_for(*shared, r, found);
    return defer_to_thread(r.actor(),
                           [shared, path = *std::move(path), codings = std::move(codings)] {
                             return look_up(*shared, path.first, path.second, codings, false);
                           })
      .add_callback([shared, r](looked_up there) { return answer_for(*shared, r, there); });
  };
}

} // namespace troupe
