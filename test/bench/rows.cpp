#include "rows.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

namespace bench {

namespace {

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  const auto middle = v.size() / 2;
  return v.size() % 2 != 0 ? v[middle] : (v[middle - 1] + v[middle]) / 2;
}

} // namespace

outcome measure(const row& r, settings s) {
  std::vector<double> ours, theirs, figures;
  for (s.repetition = 0; s.repetition < s.repeat; ++s.repetition) {
    // Who goes first changes each time, so that what slowly changes about the machine cancels out.
    const bool first = s.repetition % 2 == 0;
    if (first)
      ours.push_back(r.ours(s));
    if (r.theirs)
      theirs.push_back(r.theirs(s));
    if (!first)
      ours.push_back(r.ours(s));
    figures.push_back(r.theirs ? ours.back() / theirs.back() : ours.back());
  }
  outcome o;
  o.ours = median(ours);
  if (r.theirs)
    o.theirs = median(theirs);
  o.figure = median(figures);
  const auto [least, most] = std::minmax_element(figures.begin(), figures.end());
  o.least = *least;
  o.most = *most;
  if (r.target && !s.smoke)
    o.met = (r.direction == bound::at_least ? o.figure >= *r.target : o.figure <= *r.target)
              ? "met"
              : "MISSED";
  return o;
}

void print(const row& r, const outcome& o) {
  std::printf("%-46s %-9s %-14s ", r.what.c_str(), r.unit.c_str(), r.peer.c_str());
  if (r.theirs)
    std::printf("%10.3f %10.3f %7.2f", o.theirs, o.ours, o.figure);
  else
    std::printf("%10s %10.3f %7s", "", o.ours, "");
  std::printf(" %9.2f ..%8.2f", o.least, o.most);
  if (r.target)
    std::printf(" %s %7.2f %s", r.direction == bound::at_least ? ">=" : "<=", *r.target,
                o.met.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void write_csv(std::ostream& out, const row& r, const outcome& o) {
  out << r.name << ",\"" << r.what << "\"," << r.unit << ",\"" << r.peer << "\",";
  if (r.theirs)
    out << o.theirs;
  out << ',' << o.ours << ',';
  if (r.theirs)
    out << o.figure;
  out << ',' << o.least << ',' << o.most << ',';
  if (r.target)
    out << (r.direction == bound::at_least ? ">=" : "<=") << *r.target;
  out << ',' << o.met << std::endl;
}

} // namespace bench
