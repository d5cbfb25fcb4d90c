//! Metrics: the figures agree in both forms and with what happened.

use crate::harness::{Server, Shop, until};
use serde_json::json;
use std::collections::BTreeMap;

/// The samples of an OpenMetrics text by name and labels. It also checks the form.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "an OpenMetrics text ends with # EOF");
    let (mut found, mut types) = (BTreeMap::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "declared twice: {name}");
        } else if !line.starts_with("# ") {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let known = types.iter().any(|(declared, kind)| match kind.as_str() {
                "counter" => family == format!("{declared}_total"),
                "summary" => {
                    [format!("{declared}_sum"), format!("{declared}_count")].contains(&family.to_owned())
                        || family == declared
                }
                _ => family == declared,
            });
            assert!(known, "no type is declared for {line}");
            assert!(found.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {name}");
        }
    }
    found
}

#[test]
fn figures_agree_in_both_forms_and_with_what_happened() {
    // This needs a server of its own: on the shared one the figures always change.
    let server = Server::start("figures");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, agent) = (shop.wechat(), shop.agent(1));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let message = agent.reply(&id, "在的");
    shop.wait_delivery(&id, &message, "sent");
    wechat.say("oBob", "我也在");
    shop.wait_state("queued");
    wechat.post("", "x").refused(401, "signature_missing");
    let json = until("all is counted", || {
        let figures = shop.admin.get("/api/metrics").expect(200).json();
        let settled =
            figures["now"]["events_behind"] == 0 && figures["now"]["webhooks_refused"]["wechat/signature_missing"] == 1;
        settled.then_some(figures)
    });
    let count = |formula: &str| {
        let counts = json["counts"].as_array().unwrap();
        counts.iter().filter(|c| c["formula"] == formula).filter_map(|c| c["count"].as_i64()).sum::<i64>()
    };
    assert_eq!((count("messages.in.v1"), count("messages.out.v1"), count("delivery.sent.v1")), (2, 1, 1));
    let durations = json["durations"].as_array().unwrap();
    let first_response = durations.iter().find(|d| d["formula"] == "frt.human.v1").unwrap();
    assert_eq!(first_response["count"], 1);
    assert_eq!(json["now"]["queue_length"][&shop.name], 1);
    let text = shop.admin.get("/metrics").expect(200).text();
    let samples = samples(&text);
    for counted in json["counts"].as_array().unwrap() {
        let name = format!("warmline_{}_total", counted["formula"].as_str().unwrap().replace('.', "_"));
        let channel = counted["channel"].as_str().map_or(String::new(), |c| format!("{{channel=\"{c}\"}}"));
        assert_eq!(samples.get(&format!("{name}{channel}")).copied(), counted["count"].as_f64(), "{name}{channel}\n{text}");
    }
    for duration in durations {
        let name = format!("warmline_{}_milliseconds", duration["formula"].as_str().unwrap().replace('.', "_"));
        let channel = duration["channel"].as_str().map_or(String::new(), |c| format!("{{channel=\"{c}\"}}"));
        assert_eq!(samples.get(&format!("{name}_count{channel}")).copied(), duration["count"].as_f64(), "{name}\n{text}");
        assert_eq!(samples.get(&format!("{name}_sum{channel}")).copied(), duration["sum"].as_f64(), "{name}");
    }
    assert_eq!(samples[&format!("warmline_queue_length{{group=\"{}\"}}", shop.name)], 1.0);
    assert_eq!(shop.admin.get("/api/metrics?hours=1").expect(200).json()["counts"], json["counts"]);
}
