#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::testing {

/// This test program again, in a process of its own, where it runs one hidden test case. The two talk
/// in lines.
///
/// ```cpp
/// TEST_CASE("the other process", "[.far]") {
///   if (auto* first = the_first_process())
///     first->tell("here I am");
/// }
/// TEST_CASE("it is there") {
///   other_process far{"[.far]"};
///   CHECK(far.hear() == "here I am");
/// }
/// ```
///
/// The other one has to end when `hear` says so: then this one has ended, or waits for it.
class other_process {
public:
  /// \param variables  what its environment has besides, as "NAME=value"
  explicit other_process(const std::string& test_case,
                         const std::vector<std::string>& variables = {});

  /// Kills it, unless it has ended.
  ~other_process();
  other_process(const other_process&) = delete;
  other_process& operator=(const other_process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Says a line, without its end.
  void tell(const std::string& line) const;

  /// Returns the next line that it says; "" when it says no more, or nothing for a minute.
  [[nodiscard]] std::string hear() const;

  void kill() const;

  /// Says no more, and waits for its end.
  ///
  /// \returns its exit status, or -1 if a signal has ended it
  int end();

private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

/// The other end, in the other process.
class first_process {
public:
  explicit first_process(int fd) noexcept : fd_(fd) {}
  void tell(const std::string& line) const;

  /// Returns the next line, however long it takes; "" when there are no more.
  [[nodiscard]] std::string hear() const;

private:
  int fd_;
};

/// Returns the process that started this one as its `other_process`, or null: a hidden case was
/// selected by other means, and has nothing to do.
const first_process* the_first_process();

} // namespace troupe::testing
