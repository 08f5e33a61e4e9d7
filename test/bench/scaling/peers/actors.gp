# Draws actors.csv as one chart: gnuplot -e "folder='build/bench/results'" actors.gp
# Above by the clock, below by CPU time; one thread at the left, the most at the right. A bar is the
# median, the line on it the least and the most of the runs. The axis is logarithmic.

csv = folder . "/actors.csv"
set datafile separator ","
set terminal svg size 1200,800 font "sans,12" background "white"
set output folder . "/actors.svg"
set style data histograms
set style histogram errorbars gap 2 linewidth 1
set style fill solid 0.7 border -1
set logscale y
set grid ytics
set xtics rotate by -35 left nomirror
set key outside right top
set bars 0.5

runtimes = system("cut -d, -f3- '" . csv . "' | tail -n +2 | cut -d'\"' -f2 | tr ' ' '_' | sort -ru")
threads = system("cut -d, -f2 '" . csv . "' | tail -n +2 | sort -nu")
# The lines of a runtime ("_" stands for a space) on a number of threads.
lines_of(runtime, n) = "< grep '^[a-z-]*," . n . ",\"" . runtime . "\",' '" . csv . "'"

set multiplot layout 2, words(threads)
do for [c in "4 7"] {
  first = int(c)
  set ylabel first == 4 ? "operations for each second" : "operations for each second of CPU time"
  do for [n in threads] {
    set title n . (n eq "1" ? " thread" : " threads")
    plot for [r in runtimes] lines_of(system("echo '" . r . "' | tr '_' ' '"), n) \
      using first:first+1:first+2:xtic(1) title system("echo '" . r . "' | tr '_' ' '")
  }
}
unset multiplot
