//! The table, the JSON and the plot over invented figures.

use super::*;
use relaybed_case::transports::Timed;

fn rows() -> Vec<Measured> {
    let mut rows = Vec::new();
    for len in [16u32, 64, 256, 1024] {
        for (at, transport) in (1u64..).zip(Transport::ALL.iter().copied()) {
            let cost = u64::from(len) + 100 * at;
            rows.push(Measured {
                transport,
                len,
                records: 1000,
                wall: Timed {
                    fill_ns: 2000 * cost,
                    drain_ns: 3000 * cost,
                },
                counted: Timed {
                    fill_ns: 1000 * cost,
                    drain_ns: 1500 * cost,
                },
            });
        }
    }
    rows
}

fn on() -> Where {
    Where {
        kernel: "6.1.0-1-amd64".into(),
        kernel_origin: "linux-image 6.1.1-1".into(),
        backend: "qemu".into(),
        accel: "tcg".into(),
    }
}

fn rendered(format: Format) -> String {
    let mut bytes = Vec::new();
    write(format, &rows(), &on(), &mut bytes).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
}

#[test]
fn human() {
    insta::assert_snapshot!(rendered(Format::Human));
}

#[test]
fn json_has_a_figure_for_every_side() {
    let text = rendered(Format::Json);
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["transport"], "relay-read");
    assert_eq!(first["fill_instructions_per_record"], 116.0);
    assert_eq!(first["drain_ns_per_record"], 348.0);
    assert_eq!(text.lines().count(), rows().len() + 1);
}

#[test]
fn the_plot_names_every_way_and_length() {
    let svg = plot(&rows(), "6.1").unwrap();
    assert!(
        svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
        "{svg:.200}"
    );
    for transport in Transport::ALL {
        assert!(svg.contains(name(*transport)), "{}", name(*transport));
    }
    for len in ["16", "64", "256", "1024"] {
        assert!(svg.contains(&format!("\n{len}\n")), "{len}");
    }
}
