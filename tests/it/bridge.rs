//! `warmline bridge pinduoduo`: between the platform's socket and the component, neither of which is always there.

use crate::harness::{Options, Pmc, Server, Shop, free_address, until};
use serde_json::json;
use std::collections::BTreeMap;

/// How often each order's event stands in the store.
fn events(shop: &Shop) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for conversation in shop.conversations() {
        for message in shop.messages(conversation["id"].as_str().unwrap()) {
            let order = message["content"]["key"].as_str().unwrap_or_default();
            *found.entry(order.to_owned()).or_default() += 1;
        }
    }
    found
}

#[test]
fn every_frame_is_kept_once_and_acknowledged_after_that_whichever_side_goes_away() {
    let address = free_address();
    let options = Options { listen: Some(address), ..Options::default() };
    let mut server = Server::with("bridged", &options);
    let shop = Shop::on(&server, &json!({}));
    shop.connect("pinduoduo", Pmc::settings(), &Pmc::secrets()).expect(201);
    let pmc = Pmc::start();
    pmc.cut_after(Some(7));
    for n in 0..40 {
        pmc.keep(n, &format!("order-{n}"));
    }
    let expected = |orders: u64| (0..orders).map(|n| (format!("order-{n}"), 1)).collect::<BTreeMap<_, _>>();

    // A bridge with the wrong secret hears nothing, and says nothing to Warmline.
    let stranger = pmc.bridge(address, &shop.name, Some("another secret"));
    until("the stranger is refused", || (pmc.counts()[4] > 0).then_some(()));
    drop(stranger);
    assert_eq!((pmc.counts()[0], server.stored_of("pinduoduo", &shop.name)), (0, 0));

    // The platform cuts the connection again and again; what was not acknowledged comes again.
    let mut bridge = pmc.bridge(address, &shop.name, None);
    until("all are acknowledged", || pmc.left().is_empty().then_some(()));
    let [sent, acknowledged, heartbeats, connections, _] = pmc.counts();
    assert!(
        connections > 1 && heartbeats >= 1 && sent >= 40,
        "{connections} connections, {heartbeats} heartbeats, {sent} sent"
    );
    assert_eq!((acknowledged, server.stored_of("pinduoduo", &shop.name)), (40, 40));
    until("all are on the timeline", || (events(&shop) == expected(40)).then_some(()));

    // While Warmline is away nothing is acknowledged. It comes back, and has everything.
    pmc.cut_after(None);
    server.stop();
    for n in 40..60 {
        pmc.keep(n, &format!("order-{n}"));
    }
    let before = pmc.counts()[0];
    until("more frames are sent", || (pmc.counts()[0] >= before + 20).then_some(()));
    assert_eq!((pmc.counts()[1], pmc.left().len()), (40, 20));
    let again = Server::with("bridged", &options);
    until("all are acknowledged", || pmc.left().is_empty().then_some(()));
    assert_eq!(again.stored_of("pinduoduo", &shop.name), 60);
    until("all are on the timeline", || (events(&shop) == expected(60)).then_some(()));

    // What Warmline cannot read is not acknowledged, and holds nothing up.
    pmc.keep_text(60, json!({ "commandType": "Common", "id": 60, "time": 1, "message": 7 }).to_string());
    pmc.keep_text(61, "no frame 😀".to_owned());
    pmc.keep(62, "order-62");
    until("the good one is acknowledged", || (pmc.left() == [60, 61]).then_some(()));
    assert_eq!(bridge.stop(), Some(0));
}
