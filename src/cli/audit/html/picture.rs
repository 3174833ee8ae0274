//! Pictures, drawn as SVG in the page: how many hosts each layout has, and the disks of a layout.

use super::super::disks;
use super::super::drift::Drift;
use super::super::view::View;
use super::escape;
use crate::report::{fold, text};

/// Bars at most; the rest is one bar.
const MOST_BARS: usize = 24;
/// Disks of one picture at most.
const MOST_DISKS: usize = 120;

/// Width of the picture of the bars, and of its parts, in its own units.
const WIDTH: usize = 1120;
const LABEL: usize = 230;
const COUNT: usize = 100;
const ROW: usize = 26;

struct Bar {
    class: &'static str,
    label: String,
    hosts: usize,
    title: String,
    link: Option<String>,
}

/// One bar for each shape of the answers, as long as its hosts are many; without an answer, another one.
pub fn bars(view: &View<'_>, drift: Option<&Drift>) -> String {
    let bars = match drift {
        Some(drift) => drift_bars(view, drift),
        None => layout_bars(view),
    };
    let most = bars.iter().map(|bar| bar.hosts).max().unwrap_or(0).max(1);
    let height = bars.len() * ROW + 4;
    let said: Vec<String> = bars
        .iter()
        .map(|bar| format!("{}: {}", bar.label, text::hosts(bar.hosts)))
        .collect();
    let mut out = format!(
        "<figure class=\"bars\"><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"group\" aria-label=\"{}\">\n",
        escape(&said.join("; "))
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = row * ROW + 2;
        let room = WIDTH - LABEL - COUNT;
        // Few of very many are still seen.
        let width = (bar.hosts * room / most).max(if bar.hosts > 0 { 3 } else { 0 });
        let drawn = format!(
            "<text class=\"label\" x=\"{}\" y=\"{}\">{}</text>\
             <rect class=\"track\" x=\"{LABEL}\" y=\"{}\" width=\"{room}\" height=\"16\" rx=\"3\"/>\
             <rect class=\"{}\" x=\"{LABEL}\" y=\"{}\" width=\"{width}\" height=\"16\" rx=\"3\"/>\
             <text class=\"number\" x=\"{}\" y=\"{}\">{}</text><title>{}</title>",
            LABEL - 12,
            y + 16,
            escape(&bar.label),
            y + 3,
            bar.class,
            y + 3,
            LABEL + width + 10,
            y + 16,
            text::count(bar.hosts),
            escape(&bar.title)
        );
        match &bar.link {
            Some(link) => out += &format!("<a href=\"#{link}\">{drawn}</a>\n"),
            None => out += &format!("<g>{drawn}</g>\n"),
        }
    }
    out += "</svg></figure>\n";
    out
}

fn layout_bars(view: &View<'_>) -> Vec<Bar> {
    let heard = view.heard;
    let mut bars: Vec<Bar> = Vec::new();
    let usual = view.shapes.len().saturating_sub(1);
    let hidden = view.shapes.len().saturating_sub(MOST_BARS);
    let mut rest = 0;
    for (number, shape) in view.shapes.iter().enumerate() {
        // The smallest and the largest ones are drawn.
        if number >= MOST_BARS / 2 && number < MOST_BARS / 2 + hidden {
            rest += shape.hosts;
            if number + 1 == MOST_BARS / 2 + hidden {
                bars.push(Bar {
                    class: "bar odd",
                    label: format!("{} other shapes", text::count(hidden)),
                    hosts: rest,
                    title: "in the table".to_owned(),
                    link: Some("table-head".to_owned()),
                });
            }
            continue;
        }
        let centred = view.has_centre(shape);
        let (word, class) = if number == usual {
            (
                if heard.layouts.groups.len() == 1 {
                    "all the same"
                } else {
                    "most common"
                },
                "bar usual",
            )
        } else {
            ("odd", "bar odd")
        };
        if number == usual && centred && shape.layouts.len() > 1 {
            let nearly: usize = shape.hosts - view.layout(shape.common()).map_or(0, |layout| layout.hosts.len());
            let first = shape.layouts.first().map(|layout| format!("layout-{}", layout + 1));
            bars.push(bar("bar nearly", "nearly", nearly, &[], first));
        }
        let hosts = match view.layout(shape.common()) {
            Some(layout) if number == usual && centred => layout.hosts.len(),
            Some(_) | None => shape.hosts,
        };
        let place = if number == usual && centred {
            Some(shape.common())
        } else {
            shape.layouts.first().copied()
        };
        let label = match shape.layouts.as_slice() {
            [layout] => format!("{word} · layout {}", layout + 1),
            _ if number == usual && centred => format!("{word} · layout {}", shape.common() + 1),
            layouts => format!("{word} · {} layouts", text::count(layouts.len())),
        };
        let names = view.hosts_of(shape);
        bars.push(bar(
            class,
            &label,
            hosts,
            &names,
            place.map(|layout| format!("layout-{}", layout + 1)),
        ));
    }
    silent_bar(view, &mut bars);
    bars
}

fn drift_bars(view: &View<'_>, drift: &Drift) -> Vec<Bar> {
    let mut bars = Vec::new();
    let changed: usize = drift.changed.iter().map(|group| group.hosts.len()).sum();
    let count = |known: bool| -> usize {
        let groups = drift.new.iter().filter(|new| new.known == known);
        groups.map(|new| new.hosts.len()).sum()
    };
    let cards = || Some("cards".to_owned());
    for (class, label, hosts) in [
        ("bar odd", "drift", changed),
        ("bar odd", "new, unlike all", count(false)),
        ("bar nearly", "new, like others", count(true)),
        ("bar gone", "vanished", drift.vanished.len()),
    ] {
        if hosts > 0 {
            bars.push(bar(class, label, hosts, &[], cards()));
        }
    }
    bars.push(bar("bar usual", "as they were", drift.same, &[], None));
    silent_bar(view, &mut bars);
    bars
}

fn silent_bar(view: &View<'_>, bars: &mut Vec<Bar>) {
    if !view.heard.silent.is_empty() {
        let count = view.heard.silent.len();
        bars.push(bar("bar gone", "no answer", count, &[], Some("silent".to_owned())));
    }
}

fn bar(class: &'static str, label: &str, hosts: usize, names: &[&str], link: Option<String>) -> Bar {
    let names = text::fit(&fold::fold(names.iter().copied()), 200, "…");
    let title = if names.is_empty() {
        text::hosts(hosts)
    } else {
        format!("{}: {names}", text::hosts(hosts))
    };
    Bar {
        class,
        label: label.to_owned(),
        hosts,
        title,
        link,
    }
}

/// What the colours of the disks mean.
pub const LEGEND: &str = concat!(
    "<ul class=\"legend\">",
    "<li><svg class=\"disk system\" aria-hidden=\"true\"><rect class=\"case\" x=\"1\" y=\"1\" width=\"16\" height=\"12\" rx=\"3\"/></svg>system</li>",
    "<li><svg class=\"disk mounted\" aria-hidden=\"true\"><rect class=\"case\" x=\"1\" y=\"1\" width=\"16\" height=\"12\" rx=\"3\"/></svg>mounted</li>",
    "<li><svg class=\"disk unmounted\" aria-hidden=\"true\"><rect class=\"case\" x=\"1\" y=\"1\" width=\"16\" height=\"12\" rx=\"3\"/></svg>in use, not mounted</li>",
    "<li><svg class=\"disk empty\" aria-hidden=\"true\"><rect class=\"case\" x=\"1\" y=\"1\" width=\"16\" height=\"12\" rx=\"3\"/></svg>empty</li>",
    "<li><svg class=\"disk\" aria-hidden=\"true\"><circle class=\"platter\" cx=\"9\" cy=\"7\" r=\"4.5\"/></svg>turns (hdd)</li>",
    "</ul>\n"
);

/// Size of a drawn disk with the gap beside it.
const DISK_WIDTH: usize = 68;
const DISK_HEIGHT: usize = 62;
/// Disks in one row.
const PER_ROW: usize = 13;

/// The disks of the layout's first host, in the order in which the kernel names them.
pub fn disks(view: &View<'_>, layout: usize) -> String {
    let Some(host) = view.heard.hosts.iter().find(|host| host.layout == layout) else {
        return String::new();
    };
    let drawn = disks_of(&host.extra);
    if drawn.is_empty() {
        return String::new();
    }
    let shown = drawn.len().min(MOST_DISKS);
    let columns = shown.min(PER_ROW);
    let rows = shown.div_ceil(PER_ROW);
    let (width, height) = (columns * DISK_WIDTH, rows * DISK_HEIGHT);
    let system: Vec<&str> = drawn
        .iter()
        .filter(|disk| disk.is_system())
        .map(|disk| disk.name)
        .collect();
    let label = format!(
        "{} disks, system on {}",
        drawn.len(),
        if system.is_empty() {
            "none".to_owned()
        } else {
            system.join(", ")
        }
    );
    let mut out = format!(
        "<figure class=\"disks\"><svg viewBox=\"0 0 {width} {height}\" style=\"width:{width}px\" role=\"img\" \
         aria-label=\"{}\">\n",
        escape(&label)
    );
    for (number, disk) in drawn.iter().take(MOST_DISKS).enumerate() {
        let x = number % PER_ROW * DISK_WIDTH;
        let y = number / PER_ROW * DISK_HEIGHT;
        let class = disk.class();
        let (width, height) = (DISK_WIDTH - 8, DISK_HEIGHT - 8);
        out += &format!(
            "<g class=\"disk {class}\" transform=\"translate({x} {y})\">\
             <rect class=\"case\" x=\"1\" y=\"1\" width=\"{width}\" height=\"{height}\" rx=\"5\"/>"
        );
        if disk.kind == "hdd" {
            // A platter; what does not turn is a plain box.
            out += &format!("<circle class=\"platter\" cx=\"{}\" cy=\"11\" r=\"4.5\"/>", width - 9);
        }
        out += &format!(
            "<text class=\"name\" x=\"8\" y=\"16\">{}</text><text class=\"size\" x=\"8\" y=\"32\">{}</text>\
             <text class=\"use\" x=\"8\" y=\"46\">{}</text><title>{}</title></g>\n",
            escape(&text::fit(disk.name, 6, "…")),
            escape(&disks::size(disk.bytes)),
            escape(&text::fit(disk.word(), 9, "…")),
            escape(&format!(
                "{}: {}, {}, {}",
                disk.name,
                disks::size(disk.bytes),
                disk.kind,
                disk.used
            )),
        );
    }
    out += "</svg>";
    let hidden = drawn.len() - shown;
    if hidden > 0 {
        out += &format!("<figcaption>and {hidden} more disks</figcaption>");
    }
    out += "</figure>\n";
    out
}

struct Drawn<'a> {
    name: &'a str,
    bytes: u64,
    kind: &'a str,
    used: &'a str,
}

impl Drawn<'_> {
    fn is_system(&self) -> bool {
        self.used.split(' ').any(|mount| mount == "/")
    }

    fn class(&self) -> &'static str {
        match self.used {
            "empty" => "empty",
            _ if self.is_system() => "system",
            used if used.contains("not mounted") => "unmounted",
            _ => "mounted",
        }
    }

    /// What fits in the picture; the whole is in the title.
    fn word(&self) -> &str {
        match self.class() {
            "system" => "system",
            "unmounted" => self.used.split(',').next().unwrap_or(""),
            _ => self.used,
        }
    }
}

/// The disks among the host's own values; see [`disks::cells`].
fn disks_of(extra: &[(super::super::answers::Line, super::super::answers::Line)]) -> Vec<Drawn<'_>> {
    extra
        .windows(3)
        .filter_map(|cells| {
            let [(bytes_name, bytes), (_, kind), (use_name, used)] = cells else {
                return None;
            };
            let name = bytes_name.strip_suffix("_bytes")?;
            (use_name.strip_suffix("_use")? == name).then(|| Drawn {
                name,
                bytes: bytes.parse().unwrap_or(0),
                kind,
                used,
            })
        })
        .collect()
}
