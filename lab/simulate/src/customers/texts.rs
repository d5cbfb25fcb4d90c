//! The texts of a rice brand's customers, and its agents' answers.

use crate::rng::Rng;

/// One talk as the customer plans it: the first message, and the messages after each answer.
pub struct Script {
    /// The subject, as a code. It becomes the agents' disposition at the end.
    pub topic: &'static str,
    /// The possible first messages.
    pub openers: &'static [&'static str],
    /// Later messages, in any order.
    pub follow_ups: &'static [&'static str],
    /// The last words.
    pub thanks: &'static [&'static str],
    /// The weight, relative to the others.
    pub weight: u64,
}

/// All talks.
pub const SCRIPTS: &[Script] = &[
    Script {
        topic: "presale",
        openers: &[
            "你好，五常大米和盘锦大米哪个更适合煮粥？",
            "请问10斤装的长粒香现在有活动吗？",
            "家里老人牙口不好，想买软糯一点的米，有推荐吗？",
            "你们的胚芽米宝宝一岁能吃吗？",
            "真空包装的能放多久？夏天会不会生虫？",
            "公司发福利想订200份礼盒，可以开专票吗？",
        ],
        follow_ups: &[
            "这款是今年的新米吗？",
            "一斤米大概放多少水合适？",
            "满减和优惠券能一起用吗？",
            "有没有5斤的小包装？两个人吃不了太多",
            "产地能不能溯源查到？",
        ],
        thanks: &["好的，我下单了，谢谢", "明白了，谢谢你的推荐", "嗯嗯我再看看，谢谢"],
        weight: 35,
    },
    Script {
        topic: "order",
        openers: &[
            "我的订单什么时候发货？昨天下午拍的",
            "物流三天没更新了，帮我看看到哪了",
            "快递显示已签收但是我没收到",
            "地址填错了，能帮我改一下收货地址吗？",
            "催一下发货，家里没米了",
        ],
        follow_ups: &[
            "订单号是RB20260318后四位0457",
            "可以换成顺丰吗？我补运费",
            "能放到小区驿站吗，白天家里没人",
            "那大概哪天能到？",
            "两个订单可以一起发吗？",
        ],
        thanks: &["好的，那我等等", "麻烦你了", "收到，谢谢帮忙查"],
        weight: 35,
    },
    Script {
        topic: "aftersale",
        openers: &[
            "收到的米袋子破了一个口子，洒了不少",
            "打开发现有点碎米，比上次差很多",
            "米里发现了米虫，怎么处理？",
            "买重了，还没拆封可以退吗？",
            "少发了一袋，订单里写的是两袋",
        ],
        follow_ups: &[
            "照片我可以发给你",
            "退货运费谁出？",
            "能直接补发吗，不想退了",
            "退款几天到账？",
            "优惠券能一起退回来吗？",
        ],
        thanks: &["好的，那就这样处理吧", "可以，谢谢", "行，等你们补发"],
        weight: 22,
    },
    Script {
        topic: "complaint",
        openers: &[
            "我要投诉！说好次日达，一个星期了还没到",
            "客服半天不回，你们就这么对待老顾客吗？我要投诉",
            "大米有霉味，家里人吃了不舒服，你们必须赔偿",
        ],
        follow_ups: &["那你们打算怎么赔偿？", "我要找你们主管", "不解决我就打12315了"],
        thanks: &["希望你们说到做到", "那我再等一天", "行吧，这次就算了"],
        weight: 8,
    },
];

/// Messages of a customer who was not answered in time.
pub const NUDGES: &[&str] = &["在吗？", "有人吗？", "请问还在吗"];

/// Goods that are ordered on the marketplaces.
pub const GOODS: &[&str] =
    &["五常大米 5kg", "盘锦蟹田米 10kg", "长粒香 2.5kg", "胚芽米 1kg 真空装", "有机糙米 5kg", "稻香礼盒 4×1kg"];

/// Answers, by a word of the question. The first that fits is used.
const ANSWERS: &[(&[&str], &[&str])] = &[
    (
        &["投诉", "赔偿", "主管", "12315"],
        &[
            "非常抱歉给您带来不好的体验，我马上为您升级处理，两小时内主管会给您回电。",
            "您的心情我理解，这件事由我跟进到底，先为您登记加急处理。",
        ],
    ),
    (
        &["物流", "快递", "发货", "到哪", "哪天", "签收"],
        &["我帮您查了，包裹今天凌晨已到本地分拨中心，预计明天送达。", "仓库今天会安排发出，发出后会有短信通知您。"],
    ),
    (&["地址", "驿站", "顺丰", "一起发"], &["可以的，我已经备注给仓库了。", "收到，已为您登记修改，请留意短信确认。"]),
    (
        &["退", "补发", "破", "碎米", "米虫", "少发", "照片"],
        &[
            "很抱歉，麻烦您拍一张外包装和面单的照片，我这边直接为您补发一袋。",
            "已为您提交售后申请，运费由我们承担，审核通过后原路退回。",
        ],
    ),
    (
        &["优惠", "活动", "满减", "专票"],
        &["现在满99减15，和店铺券可以一起使用。", "大宗订单可以开专票，我请对接的同事加您详谈。"],
    ),
    (
        &["水", "煮粥", "新米", "产地", "宝宝", "老人", "推荐"],
        &["推荐长粒香，口感软糯，米和水一比一点二就好。", "这一批是今年的新米，扫袋上的二维码能看到产地和检验报告。"],
    ),
];

const OTHER_ANSWERS: &[&str] = &["您好，很高兴为您服务，请问还有什么可以帮您？", "好的，我帮您看一下，请稍等。"];
const FAREWELLS: &[&str] = &["感谢您的支持，祝您生活愉快！", "不客气，有问题随时找我。"];

/// One of the scripts, by weight.
pub fn script(rng: &mut Rng) -> &'static Script {
    let mut at = rng.below(SCRIPTS.iter().map(|s| s.weight).sum());
    for script in SCRIPTS {
        match at.checked_sub(script.weight) {
            Some(rest) => at = rest,
            None => return script,
        }
    }
    &SCRIPTS[0]
}

/// A customer's messages in one talk: an opener, up to three more, and often a thank-you.
pub fn talk(rng: &mut Rng, script: &Script) -> Vec<&'static str> {
    let mut texts: Vec<&'static str> = rng.pick(script.openers).copied().into_iter().collect();
    for _ in 0..rng.below(4) {
        let text = rng.pick(script.follow_ups).copied();
        texts.extend(text.filter(|text| !texts.contains(text)));
    }
    if rng.chance(0.7) {
        texts.extend(rng.pick(script.thanks).copied());
    }
    texts
}

/// An agent's answer.
pub fn answer(rng: &mut Rng, question: &str) -> &'static str {
    let thanks = SCRIPTS.iter().any(|script| script.thanks.contains(&question));
    let choices = if thanks {
        FAREWELLS
    } else {
        ANSWERS
            .iter()
            .find(|(words, _)| words.iter().any(|word| question.contains(word)))
            .map_or(OTHER_ANSWERS, |(_, answers)| answers)
    };
    rng.pick(choices).copied().unwrap_or("好的")
}

/// The subject of a talk, by its opener.
pub fn topic(opener: &str) -> &'static str {
    SCRIPTS.iter().find(|script| script.openers.contains(&opener)).map_or("other", |script| script.topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_talk_has_an_opener_and_every_message_an_answer() {
        let mut rng = Rng::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let script = script(&mut rng);
            seen.insert(script.topic);
            assert!(script.topic.bytes().all(|byte| byte.is_ascii_lowercase()), "the API takes no such disposition");
            let talk = talk(&mut rng, script);
            assert!((1..=5).contains(&talk.len()));
            assert_eq!(topic(talk[0]), script.topic);
            assert!(talk.iter().all(|text| !answer(&mut rng, text).is_empty()));
        }
        assert_eq!(seen.len(), SCRIPTS.len());
    }

    #[test]
    fn a_complaint_is_answered_as_one_and_thanks_with_a_farewell() {
        let mut rng = Rng::new(2);
        assert!(answer(&mut rng, "我要投诉！说好次日达，一个星期了还没到").contains("处理"));
        assert!(FAREWELLS.contains(&answer(&mut rng, "麻烦你了")));
    }
}
