# SPDX-License-Identifier: Apache-2.0
"""Plots of the rows, by gnuplot."""

import subprocess

import lab
from measure import figure, series

HEAD = """set terminal svg size %d,%d dynamic font "sans-serif,12" background rgb "white"
set output "%s"
set encoding utf8
set border 3
set tics nomirror
"""


def gnuplot(script):
    done = subprocess.run(["gnuplot"], input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise lab.Failed(f"gnuplot: {done.stdout.strip()}")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', "'").replace("_", "\\\\_") + '"'


def ratios(rows, path):
    """All that has a ratio, against what is wanted: right of the line of 1 is better than wanted."""
    lines = []
    for row in rows:
        if row["against"] is None or not row["reach"] or not row["ratio"] or min(row["quartiles"]) <= 0:
            continue
        values = [row["ratio"] / row["reach"], row["quartiles"][0] / row["reach"], row["quartiles"][1] / row["reach"]]
        if row["kind"] != "rate":
            values = [1 / v for v in values]
        label = f"{row['what']} / {row['against']}: {figure(row['ratio'])}"
        lines.append((quoted(label), values[0], min(values), max(values)))
    if not lines:
        return
    lines.reverse()
    script = HEAD % (1300, 80 + 24 * len(lines), path)
    script += "$rows << END\n" + "\n".join(f"{i} {label} {m:.4f} {lo:.4f} {hi:.4f}" for i, (label, m, lo, hi) in enumerate(lines))
    script += f"""
END
set logscale x 2
set xlabel "times what is wanted: right of 1 is better"
set yrange [-0.7:{len(lines) - 0.3}]
set grid x lc rgb "#dddddd"
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#888888" lw 2
unset key
plot $rows using 3:1:4:5:($3 >= 1 ? 0x2a7f3f : 0xb03a2e):ytic(2) with xerrorbars pt 7 ps 0.8 lw 2 lc rgb variable
"""
    gnuplot(script)


def curves(rows, bench, path, title, xlabel, ylabel, logscale="x 2"):
    """What has an x, a curve for each of those compared."""
    chosen = [row for row in rows if row["bench"] == bench and row["x"] is not None]
    if not chosen:
        return
    data = {}
    for row in chosen:
        if row["against"] is None:
            data.setdefault("confd-ha-node", {})[row["x"]] = row["ours"]
        else:
            data.setdefault("confd-ha-node", {}).setdefault(row["x"], row["ours"])
            data.setdefault(row["against"], {})[row["x"]] = row["theirs"]
    script = HEAD % (700, 420, path)
    plotted = []
    for i, (name, points) in enumerate(data.items()):
        script += f"$d{i} << END\n" + "\n".join(f"{x} {y}" for x, y in sorted(points.items())) + "\nEND\n"
        plotted.append(f"$d{i} using 1:2 with linespoints pt 7 lw 2 title {quoted(name)}")
    xs = sorted({row["x"] for row in chosen})
    script += f"""set title {quoted(title)}
set xlabel {quoted(xlabel)}
set ylabel {quoted(ylabel)}
set logscale {logscale}
set xtics ({", ".join(str(x) for x in xs)})
set yrange [{'*' if 'y' in logscale else 0}:*]
set grid y lc rgb "#dddddd"
set key left top
plot {", ".join(plotted)}
"""
    gnuplot(script)


def small_multiples(figures, path, title, xlabel, logscale):
    """A curve of its own for each figure: (words, unit, values by x)."""
    lines = (len(figures) + 1) // 2
    script = HEAD % (1000, 60 + 230 * lines, path)
    script += f'set multiplot layout {lines},2 title {quoted(title)}\nset grid lc rgb "#dddddd"\nset logscale {logscale}\nunset key\n'
    for i, (words, unit, points) in enumerate(figures):
        script += f"$d{i} << END\n" + "\n".join(f"{x} {y}" for x, y in sorted(points.items())) + "\nEND\n"
        script += f"set title {quoted(f'{words} ({unit})')}\nset xlabel {quoted(xlabel)}\n"
        script += f"set xtics ({', '.join(str(x) for x in sorted(points))})\nset yrange [{'*' if 'y' in logscale else 0}:*]\n"
        script += f"plot $d{i} using 1:2 with linespoints pt 7 lw 2 lc rgb 0x2a5f8f\n"
    gnuplot(script + "unset multiplot\n")


def scale(rows, directory):
    """The curves of ./bench scale: for each of the two (bench, head of the table, words, file's name)."""
    shown = [("slaves", "slaves", "By the number of slaves, all of them on one machine and disk", "scale-slaves", "xy"),
             ("size", "MiB", "By the size of the database in values of 8 MiB, two slaves", "scale-size", "x")]
    for bench, head, words, name, logscale in shown:
        small_multiples(list(series(rows, bench).values()), f"{directory}/{name}.svg", words, head, logscale)
    return [(bench, head, words, name) for bench, head, words, name, _ in shown]


def draw(rows, directory):
    ratios(rows, f"{directory}/ratios.svg")
    curves(rows, "commits", f"{directory}/commits.svg", "Durable commits of 100-byte values, three nodes on one disk", "clients",
           "commits a second")
    curves(rows, "slaves", f"{directory}/slaves.svg", "Median latency of one client's commit", "slaves, all on one machine and disk",
           "milliseconds", "xy")
