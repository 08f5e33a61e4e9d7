# Draws each scenario of peers.csv as a chart: gnuplot -e "folder='build/bench/results'" plot.gp
# A bar is the median, the line on it the least and the most of the runs. The axis is logarithmic.

csv = folder . "/peers.csv"
set datafile separator ","
set terminal svg size 900,420 font "sans,12" background "white"
set style fill solid 0.7
set boxwidth 0.6
set logscale y
set grid ytics
set ylabel "server CPU, us for each operation"
set xtics rotate by -35 left nomirror
set key off
set rmargin 12
set pointintervalbox 0

scenarios = system("cut -d, -f1 '" . csv . "' | tail -n +2 | uniq")
do for [s in scenarios] {
  # A name may hold a comma within its quotation marks, which gnuplot respects.
  rows = "< grep '^" . s . ",' '" . csv . "'"
  set yrange [*:*]
  stats rows using 3 nooutput
  set output folder . "/" . s . ".svg"
  set title s
  set yrange [STATS_min * 0.5 : STATS_max * 3]
  plot rows using 0:3:($0 == 0 ? 0x1f77b4 : 0x999999):xtic(2) with boxes linecolor rgb variable, \
       rows using 0:3:4:5 with yerrorbars linecolor "black" pointtype 0, \
       rows using 0:5:(sprintf("%.3g", $3)) with labels offset 0,0.8
}
