#include <troupe/history/history_errc.hpp>

#include <algorithm>
#include <iterator>
#include <string>

namespace troupe {

namespace {

struct entry {
  history_errc code;
  std::string_view name;
  std::string_view text;
};

constexpr entry entries[] = {
  {history_errc::none, "none", "no error"},
  {history_errc::store_unavailable, "store_unavailable", "the store is not available"},
  {history_errc::store_full, "store_full", "the store is full"},
  {history_errc::store_corrupt, "store_corrupt", "the store is damaged"},
  {history_errc::store_in_use, "store_in_use", "another process uses the store"},
  {history_errc::store_failed, "store_failed", "the store could not write"},
  {history_errc::wrong_store, "wrong_store", "this is no such store"},
};

const entry* find(int code) noexcept {
  const auto* const found =
    std::find_if(std::begin(entries), std::end(entries),
                 [code](const entry& e) { return static_cast<int>(e.code) == code; });
  return found != std::end(entries) ? found : nullptr;
}

class category final : public std::error_category {
public:
  const char* name() const noexcept override { return "history"; }
  std::string message(int value) const override {
    const auto* const e = find(value);
    return e != nullptr ? std::string{e->text} : "unknown error " + std::to_string(value);
  }
};

} // namespace

std::string_view name(history_errc code) noexcept {
  const auto* const e = find(static_cast<int>(code));
  return e != nullptr ? e->name : "unknown";
}

const std::error_category& history_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(history_errc code) noexcept {
  return {static_cast<int>(code), history_category()};
}

} // namespace troupe
