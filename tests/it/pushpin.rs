//! Pushpin in front of the same components, instead of the runner's own gateway.

use crate::harness::{Options, Pushpin, Said, Server, Shop, Socket, Web, free_address, fresh, installed, left_out, until};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::Message;

#[test]
fn a_client_behind_pushpin_sends_hears_and_survives_a_restart_of_the_server() {
    if !installed() {
        left_out("Pushpin is not installed (Debian's package pushpin)");
        return;
    }
    let (address, control) = (free_address(), free_address());
    let options = Options {
        listen: Some(address),
        environment: vec![
            ("SPIN_VARIABLE_GRIP_KEY".into(), Pushpin::KEY.into()),
            ("SPIN_VARIABLE_GRIP_CONTROL_URL".into(), format!("http://{control}")),
        ],
        ..Options::default()
    };
    let server = Server::with("behind-pushpin", &options);
    let pushpin = Pushpin::start("pushpin", address, control);
    let shop = Shop::on(&server, &json!({}));
    let (direct, agent) = (shop.web(&[]), shop.agent(2));
    let web = Web::new(&pushpin.base(), &shop.name);
    let visitor = web.visitor();
    let url = format!("{}/ws?access_token={}", web.url, visitor.token);
    assert_eq!(Socket::open(&format!("{}/ws?access_token=nonsense", web.url), &[]).err(), Some(401));
    assert_eq!(
        Socket::open(&format!("{}/ws?access_token={}", direct.url, visitor.token), &[]).err(),
        Some(426),
        "past Pushpin there is no gateway"
    );

    let mut socket = Socket::open(&url, &[]).unwrap();
    assert_eq!(socket.sync(None), (vec![], Value::Null));
    let say = |socket: &mut Socket, text: &str| {
        let id = fresh("w");
        socket.say(&json!({ "type": "message", "id": id, "text": text }));
        assert_eq!(socket.next(), json!({ "type": "received", "id": id }));
    };
    say(&mut socket, "有人吗");
    let id = shop.wait_state("assigned");
    // Pushpin's parts find each other only after it answers. Until then it holds nothing.
    let mut stream = until("Pushpin holds a stream", || Some(visitor.stream(None)).filter(|stream| stream.status == 200));
    let long = "很长的答复 😀\n".repeat(440);
    for text in ["您好", long.as_str()] {
        agent.reply(&id, text);
        assert_eq!(socket.next()["message"]["content"]["text"], text);
        let event = stream.next();
        assert_eq!(event.data["content"]["text"], text);
        assert_eq!(event.id, event.data["cursor"]);
    }
    socket.send(Message::Ping(Bytes::from_static(b"e1V3")));
    assert_eq!(socket.next_within(Duration::from_secs(10)), Some(Said::Pong(Bytes::from_static(b"e1V3"))));
    assert_eq!(socket.sync(None).0, ["您好", long.as_str()]);

    // A stream that begins in the middle continues from there. One that missed everything gets everything.
    let mut late = visitor.stream(None);
    for text in ["您好", long.as_str()] {
        assert_eq!(late.next().data["content"]["text"], text);
    }

    // The socket stays at Pushpin while the server is stopped.
    let _server = server.restart(&options);
    say(&mut socket, "还在吗");
    shop.wait_text("还在吗");
    agent.reply(&id, "还在");
    assert_eq!(socket.next()["message"]["content"]["text"], "还在");
    assert_eq!(stream.next().data["content"]["text"], "还在");
    assert_eq!(late.next().data["content"]["text"], "还在");

    // The next conversation continues in the same stream, on both.
    agent.close(&id);
    say(&mut socket, "又来了");
    let id = shop.wait_state("assigned");
    agent.reply(&id, "欢迎回来");
    assert_eq!(socket.next()["message"]["content"]["text"], "欢迎回来");
    for stream in [&mut stream, &mut late] {
        assert_eq!(stream.next().data["content"]["text"], "欢迎回来");
        // Meanwhile Pushpin has asked for missed replies, and nothing comes twice.
        assert_eq!(stream.next_within(Duration::from_secs(14)), None);
    }
    agent.reply(&id, "再见");
    assert_eq!(socket.next()["message"]["content"]["text"], "再见");
    for stream in [&mut stream, &mut late] {
        assert_eq!(stream.next().data["content"]["text"], "再见");
    }
    socket.send(Message::Close(None));
    assert!(matches!(socket.next_within(Duration::from_secs(10)), Some(Said::Closed(_))));
}
