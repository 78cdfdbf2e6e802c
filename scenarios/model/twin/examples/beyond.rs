//! temp
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "x")]
use relaybed_twin::search::{scenes, interleave, minimised, replay, Shown};
use relaybed_twin::{Defects, Step};
fn short(s: &Shown) -> String {
    let st = match s.step { None => "drained".into(), Some(Step::Load{member, slot, value, ..}) => format!("load {}[{slot}] = {}", member.word(), value as i64), Some(Step::Store{member, slot, before, after, ..}) => format!("store {}[{slot}] {before} -> {after}", member.word()), Some(Step::Update{member,before,after,..}) => format!("update {} {before} -> {after}", member.word()), Some(other) => format!("{other:?}") };
    format!("{}.{} {}: {}", s.thread, s.op_index, s.place, st)
}
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let full = words.iter().any(|w| w == "full!");
    let set: Defects = words.iter().find_map(|w| w.strip_prefix("has=")).map_or(Defects::NONE, |w| w.parse().unwrap());
    for named in scenes(words.iter().any(|w| w == "threes")).into_iter().filter(|n| words.iter().all(|w| w.contains('!') || w.contains('=') || w == "threes" || n.name.contains(w.as_str()))) {
        let scene = named.scene.with(set);
        let t = interleave(&scene, 20_000_000).unwrap();
        println!("-- {} : {} states {:e} of {:e}{}", named.name, t.states, t.broken, t.interleavings, if t.is_cut {" CUT"} else {""});
        for v in &t.violations {
            let p = minimised(&scene, &v.path, v.broken);
            println!("   == {} ({} switches)", v.broken, p.switches());
            let steps = replay(&scene, &p).unwrap().steps;
            for i in 0..steps.len() {
                if full || i + 1 == steps.len() || steps[i].thread != steps[i + 1].thread { println!("      {}", short(&steps[i])); }
            }
        }
    }
}
