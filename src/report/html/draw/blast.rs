//! Blast columns: outside addresses | compromised hosts | whom they reached, each ordered by rank, with a curve for each
//! edge of the graph. Edges that are new are coloured and thicker; shared services are one box.

use crate::incident::model::{Edge, Incident, Node, NodeClass};
use crate::report::html::markup::Markup;
use crate::report::html::scale::WIDTH;
use crate::report::html::shapes::{Area, px};
use crate::report::html::words;
use flow::Address;
use flow::units::{bytes_text, counted};
use std::collections::BTreeMap;

/// Boxes of a column; the table has all.
const MAX_BOXES: usize = 14;
/// The height of a box, and of the gap below it.
const BOX: f64 = 40.0;
const GAP: f64 = 10.0;
/// Where boxes begin, below the heads of the columns.
const TOP: f64 = 30.0;
/// Characters of a box's first line.
const NAME: usize = 25;
/// Characters of its second line.
const ABOUT: usize = 34;

/// The columns from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Outside,
    Compromised,
    Reached,
    Further,
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Column::Outside => "Outside, and who came in",
            Column::Compromised => "Compromised",
            Column::Reached => "Reached",
            Column::Further => "Reached from there",
        }
    }
}

/// A box of a column.
struct Card {
    column: Column,
    class: &'static str,
    name: String,
    about: String,
    /// Whom the box stands for.
    members: Vec<Address>,
    place: Area,
}

/// The boxes of a figure, and those that do not fit.
struct Board {
    cards: Vec<Card>,
    left_out: usize,
    width: f64,
    height: f64,
}

/// Returns the blast columns of an incident; `None` where it has no graph and no remotes.
pub(in crate::report::html) fn blast(incident: &Incident, marker: &str) -> Option<Markup> {
    if incident.graph.edges.is_empty() && incident.remotes.is_empty() {
        return None;
    }
    let mut board = gather(incident);
    place(&mut board);
    let count = |column| board.cards.iter().filter(|card| card.column == column).count() as u64;
    let title = format!(
        "Blast radius: {} outside, {} compromised, {} reached; the table says the same",
        count(Column::Outside),
        count(Column::Compromised),
        count(Column::Reached) + count(Column::Further),
    );
    let mut out = Markup::new();
    out.begin_figure(WIDTH, board.height, &title).arrow_head(marker, "fill-edge");
    for column in [Column::Outside, Column::Compromised, Column::Reached, Column::Further] {
        if let Some(first) = board.cards.iter().find(|card| card.column == column) {
            out.label("tick", (first.place.0, 14.0), column.head());
        }
    }
    draw_edges(&mut out, incident, &board, marker);
    for card in &board.cards {
        let (x, y, ..) = card.place;
        out.area(card.class, card.place, 4.0, "");
        out.label("name", (x + 10.0, y + 17.0), &card.name).label("tick", (x + 10.0, y + 33.0), &card.about);
        out.raw("\n");
    }
    if board.left_out > 0 {
        let more = format!("and {} in the table", counted(board.left_out as u64, "other", "others"));
        out.label("tick end", (WIDTH, board.height - 6.0), &more);
    }
    out.close("svg");
    Some(out)
}

fn gather(incident: &Incident) -> Board {
    let mut cards: Vec<Card> = Vec::new();
    let card = |column, class, name: String, about: String, members: Vec<Address>| Card {
        column,
        class,
        name: words::shortened(&name, NAME),
        about: words::shortened(&about, ABOUT),
        members,
        place: (0.0, 0.0, 0.0, 0.0),
    };
    let nodes = &incident.graph.nodes;
    for node in nodes.iter().filter(|node| node.class == NodeClass::Upstream) {
        let about = format!("came in {}", words::minute(node.reached_at_s));
        cards.push(card(Column::Outside, "card upstream", node.address.to_string(), about, vec![node.address]));
    }
    for remote in &incident.remotes {
        let name = remote
            .port
            .filter(|port| *port > 0)
            .map_or_else(|| remote.address.to_string(), |port| format!("{} port {port}", remote.address));
        let about = remote.owner.as_ref().map_or_else(String::new, |owner| format!(" · {owner}"));
        let about = format!("{}{about}", words::remote_part(remote.part));
        cards.push(card(Column::Outside, "card outside", name, about, vec![remote.address]));
    }
    for host in &incident.hosts {
        let about = format!("{}, {}", words::host_part(host.part), words::minute(host.since_s));
        cards.push(card(Column::Compromised, "card compromised", host.host.to_string(), about, vec![host.host]));
    }
    let known = |cards: &[Card], address: Address| cards.iter().any(|card| card.members.contains(&address));
    let (mut shared, mut ports) = (Vec::new(), Vec::new());
    for node in nodes {
        if known(&cards, node.address) {
            continue;
        }
        let edge = incident.graph.edges.iter().find(|edge| edge.to == node.address);
        match node.class {
            NodeClass::Shared => {
                shared.push(node.address);
                ports.extend(edge.map(|edge| edge.port));
            }
            NodeClass::Remote | NodeClass::Upstream => {
                let about = edge.map_or_else(String::new, about_edge);
                cards.push(card(Column::Outside, "card outside", node.address.to_string(), about, vec![node.address]));
            }
            NodeClass::Involved => {
                let name = node.address.to_string();
                cards.push(card(Column::Compromised, "card compromised", name, String::new(), vec![node.address]));
            }
            NodeClass::Reached | NodeClass::Attempted | NodeClass::Reachable => {
                let column = if node.hops > 1 { Column::Further } else { Column::Reached };
                let class = if node.class == NodeClass::Reached { "card" } else { "card attempted" };
                let name = name_of(node, edge);
                let about = edge.map_or_else(|| words::node_class(node.class).to_owned(), about_edge);
                cards.push(card(column, class, name, about, vec![node.address]));
            }
        }
    }
    if !shared.is_empty() {
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().filter(|port| **port > 0).map(u16::to_string).collect();
        let name = counted(shared.len() as u64, "shared service", "shared services");
        let about = if ports.is_empty() { String::new() } else { format!("ports {}", ports.join(", ")) };
        cards.push(card(Column::Reached, "card shared", name, about, shared));
    }
    trim(cards)
}

/// Keeps the first boxes of each column, and of the reached also the box of shared services.
fn trim(cards: Vec<Card>) -> Board {
    let mut counts: BTreeMap<Column, usize> = BTreeMap::new();
    let all = cards.len();
    let kept: Vec<Card> = (cards.into_iter())
        .filter(|card| {
            let count = counts.entry(card.column).or_default();
            *count += 1;
            *count <= MAX_BOXES || card.class == "card shared"
        })
        .collect();
    Board { left_out: all - kept.len(), cards: kept, width: 0.0, height: 0.0 }
}

fn name_of(node: &Node, edge: Option<&Edge>) -> String {
    match edge.filter(|edge| edge.port > 0) {
        Some(edge) => format!("{} port {}", node.address, edge.port),
        None => node.address.to_string(),
    }
}

fn about_edge(edge: &Edge) -> String {
    let new = if edge.is_new == Some(true) { " · new" } else { "" };
    if edge.answered {
        format!("{} in, {} out{new}", bytes_text(edge.bytes_in), bytes_text(edge.bytes_out))
    } else {
        format!("no answer{new}")
    }
}

/// Gives each box its place: columns side by side, each in the middle of the height.
fn place(board: &mut Board) {
    let further = board.cards.iter().any(|card| card.column == Column::Further);
    let lefts: [f64; 4] = if further { [0.0, 296.0, 592.0, 888.0] } else { [0.0, 428.0, 856.0, 856.0] };
    board.width = if further { 232.0 } else { 264.0 };
    let tall = |count: usize| count as f64 * (BOX + GAP);
    let count = |column| board.cards.iter().filter(|card| card.column == column).count();
    let columns = [Column::Outside, Column::Compromised, Column::Reached, Column::Further];
    let counts = columns.map(count);
    let tallest = tall(counts.iter().copied().max().unwrap_or(0));
    let mut tops = counts.map(|count| TOP + (tallest - tall(count)) / 2.0);
    let width = board.width;
    for card in &mut board.cards {
        let at = card.column as usize;
        card.place = (lefts[at], tops[at], width, BOX);
        tops[at] += BOX + GAP;
    }
    board.height = TOP + tallest + if board.left_out > 0 { 18.0 } else { 0.0 };
}

/// One curve for each two boxes, however many edges are between them.
fn draw_edges(out: &mut Markup, incident: &Incident, board: &Board, marker: &str) {
    let card_of = |address: Address| board.cards.iter().position(|card| card.members.contains(&address));
    let mut curves: BTreeMap<(usize, usize), Vec<&Edge>> = BTreeMap::new();
    for edge in &incident.graph.edges {
        if let Some(ends) = card_of(edge.from).zip(card_of(edge.to)).filter(|(from, to)| from != to) {
            curves.entry(ends).or_default().push(edge);
        }
    }
    // What is new lies above what is not.
    let mut curves: Vec<_> = curves.into_iter().collect();
    curves.sort_by_key(|(_, edges)| edges.iter().any(|edge| edge.is_new == Some(true)));
    for ((from, to), edges) in curves {
        let new = edges.iter().any(|edge| edge.is_new == Some(true));
        let class = match (new, edges.iter().any(|edge| edge.answered)) {
            (true, true) => "edge new",
            (true, false) => "edge new silent",
            (false, true) => "edge",
            (false, false) => "edge silent",
        };
        let steps = curve(board.cards[from].place, board.cards[to].place);
        out.arrow(class, &steps, marker, &tip(&edges));
    }
    out.raw("\n");
}

/// Returns a curve from one box to another: between facing sides, or around the right side within a column.
fn curve((x1, y1, width, height): Area, (x2, y2, ..): Area) -> String {
    let (y1, y2) = (y1 + height / 2.0, y2 + height / 2.0);
    let (from, to, bend) = if x1 < x2 {
        (x1 + width, x2, 1.0)
    } else if x1 > x2 {
        (x1, x2 + width, -1.0)
    } else {
        let out = x1 + width + 34.0;
        let right = x1 + width;
        return format!(
            "M{} {}C{} {} {} {} {} {}",
            px(right),
            px(y1),
            px(out),
            px(y1),
            px(out),
            px(y2),
            px(right),
            px(y2)
        );
    };
    let reach = bend * (to - from).abs() / 2.0;
    let (first, second) = (from + reach, to - reach);
    format!("M{} {}C{} {} {} {} {} {}", px(from), px(y1), px(first), px(y1), px(second), px(y2), px(to), px(y2))
}

fn tip(edges: &[&Edge]) -> String {
    let texts = edges.iter().take(4).map(|edge| {
        let service = words::service(Some(edge.port), Some(edge.protocol));
        let times = counted(edge.connections, "connection", "connections");
        format!("{} to {}, {service}: {times}, {}", edge.from, edge.to, about_edge(edge))
    });
    let mut text = texts.collect::<Vec<_>>().join("; ");
    if edges.len() > 4 {
        text.push_str(&format!("; {} more", edges.len() - 4));
    }
    text
}
