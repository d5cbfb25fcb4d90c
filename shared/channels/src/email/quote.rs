//! Separates a customer's own words in a mail from the earlier thread.
//!
//! Mail programs put the earlier mails below, or above, or between the lines. A line that begins with `>` is quoted. If a
//! program does not mark lines, its separator (`-----Original Message-----`, `在 … 写道：`, a block of `发件人:` `主题:`) begins the
//! history, and everything after it belongs to it. Nothing is thrown away: every line is on one side or the other.

/// A text in two.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// The customer's own words.
    pub(super) new: String,
    /// The history, if there is any.
    pub(super) quoted: Option<String>,
}

/// Words between rules of hyphens that begin the history.
const RULED: &[&str] = &[
    "original message",
    "original appointment",
    "originalnachricht",
    "ursprünglichenachricht",
    "messaged'origine",
    "mensajeoriginal",
    "messaggiooriginale",
    "mensagemoriginal",
    "forwarded message",
    "forwarded by",
    "reply message",
    "原始邮件",
    "原始郵件",
    "原邮件",
    "原郵件",
    "转发邮件",
    "轉寄郵件",
    "转发的邮件",
    "转发信息",
    "回复的原邮件",
    "邮件原件",
    "元のメッセージ",
    "転送メッセージ",
    "원본메시지",
    "원본 메시지",
];
/// The first label of a block that names the writer of a mail.
const FROM: &[&str] =
    &["from", "发件人", "發件人", "寄件人", "寄件者", "发送人", "差出人", "送信者", "von", "de", "보낸사람"];
/// Labels that follow it.
const FURTHER: &[&str] = &[
    "sent",
    "date",
    "to",
    "cc",
    "subject",
    "reply-to",
    "发送时间",
    "發送時間",
    "发送日期",
    "日期",
    "时间",
    "時間",
    "寄件日期",
    "收件人",
    "收件者",
    "抄送",
    "副本",
    "主题",
    "主題",
    "主旨",
    "送信日時",
    "日時",
    "宛先",
    "件名",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "à",
    "objet",
    "enviado",
    "para",
    "asunto",
    "assunto",
    "oggetto",
    "보낸날짜",
    "받는사람",
    "제목",
    "回复",
];
/// Those labels that name the subject. Every such block has one.
const TITLE: &[&str] =
    &["subject", "主题", "主題", "主旨", "件名", "betreff", "objet", "asunto", "assunto", "oggetto", "제목"];
/// The ends of lines that name the writer of the text after them.
const WROTE: &[&str] = &[
    "wrote:",
    "wrote：",
    "writes:",
    "写道：",
    "写道:",
    "寫道：",
    "寫道:",
    "schrieb:",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "escreveu:",
    "ha scritto:",
    "のメール:",
    "のメール：",
    "のメッセージ:",
    "書きました:",
    "書きました：",
    "작성:",
];
/// The most lines into which such a sentence can be broken, and the most labels' lines in which a block is sought.
const BROKEN: usize = 3;
const BLOCK: usize = 8;

/// Splits a text. `reply` says whether the mail answers another. Otherwise marked lines alone are no history, since a
/// customer may begin a line with `>` for other reasons.
pub(super) fn split(text: &str, reply: bool) -> Split {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut history = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let Some(length) = introduction(&lines[at..], reply) else {
            at += 1;
            continue;
        };
        let after = at + length;
        let next = lines[after..].iter().position(|line| !line.trim().is_empty()).map(|blank| after + blank);
        // After an introduction a mark is a mark, whatever follows it.
        let marked_next = next.is_some_and(|next| quotes(lines[next]));
        let end = if marked_next { marked_until(&lines, after) } else { lines.len() };
        history[at..end].fill(true);
        at = end;
    }
    if reply {
        mark_rest(&lines, &mut history);
    }
    if !history.contains(&true) {
        return Split { new: trimmed(text).to_owned(), quoted: None };
    }
    let side = |wanted: bool| {
        let lines = lines.iter().zip(&history).filter(|(_, history)| **history == wanted).map(|(line, _)| *line);
        trimmed(&lines.collect::<Vec<_>>().join("\n")).to_owned()
    };
    let quoted = side(true);
    Split { new: side(false), quoted: (!quoted.is_empty()).then_some(quoted) }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Whether a program marked a line as quoted. `>_<` and `>100` are not marked.
fn marked(line: &str) -> bool {
    let line = line.trim_start();
    line.strip_prefix('>').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '>', '\u{a0}', '\u{3000}']))
        || line.strip_prefix('>').is_some_and(|rest| rest.starts_with(char::is_alphabetic))
}

/// Whether a line begins like a marked one. Some programs put no blank after the mark, so a line directly after a marked
/// line counts as marked, too.
fn quotes(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// The end of the marked lines that begin here, with the blank lines between them.
fn marked_until(lines: &[&str], from: usize) -> usize {
    let mut end = from;
    for (at, line) in lines.iter().enumerate().skip(from) {
        if marked(line) || quotes(line) && (end == from || end == at) {
            end = at + 1;
        } else if !line.trim().is_empty() {
            break;
        }
    }
    end
}

/// In a reply, marked lines are history in any place, with the sentence before them that names their writer.
fn mark_rest(lines: &[&str], history: &mut [bool]) {
    for at in 0..lines.len() {
        let follows = at > 0 && history[at - 1] && quotes(lines[at - 1]) && quotes(lines[at]);
        if history[at] || !(marked(lines[at]) || follows) {
            continue;
        }
        history[at] = true;
        let before = (0..at).rev().find(|before| !lines[*before].trim().is_empty());
        if let Some(before) = before.filter(|before| !history[*before] && names_somebody(lines[*before])) {
            history[before] = true;
        }
    }
}

/// Whether a line ends with a colon and contains a date or an address.
fn names_somebody(line: &str) -> bool {
    line.trim_end().ends_with([':', '：']) && dated(line)
}

fn dated(text: &str) -> bool {
    text.contains('@') || text.bytes().filter(u8::is_ascii_digit).count() >= 4
}

/// The number of lines that introduce the history; `None` if these lines do not.
fn introduction(lines: &[&str], reply: bool) -> Option<usize> {
    let first = lines.first()?.trim();
    if first.is_empty() {
        return None;
    }
    // Marked lines are sorted by their marks, whatever they contain.
    if first.starts_with('>') {
        return None;
    }
    if ruled(first) {
        return Some(1);
    }
    if block(lines, reply) {
        return Some(1);
    }
    // A line of underscores or hyphens above such a block belongs to it.
    let rule = first.len() >= 5 && first.chars().all(|c| matches!(c, '_' | '-' | '—' | '─' | '='));
    if rule && let Some(next) = lines.iter().skip(1).take(3).position(|line| !line.trim().is_empty()) {
        return block(&lines[next + 1..], true).then_some(next + 2);
    }
    sentence(lines)
}

/// `-----Original Message-----`, `------------------ 原始邮件 ------------------`
fn ruled(line: &str) -> bool {
    if line.len() > 200 {
        return false;
    }
    let rule = |c: char| matches!(c, '-' | '_' | '=' | '—' | '─' | '*' | '|' | ' ' | '\u{a0}' | '\u{3000}');
    let inside = line.trim_start_matches(rule);
    let dashes = line.chars().take_while(|c| rule(*c)).filter(|c| !c.is_whitespace()).count();
    let inside = inside.trim_end_matches(rule).to_lowercase();
    let spaceless: String = inside.chars().filter(|c| !c.is_whitespace()).collect();
    // `Begin forwarded message:` has no rule.
    let bare = matches!(inside.trim_end_matches([':', '：']), "begin forwarded message" | "开始转发的邮件" | "開始轉寄郵件");
    bare || dashes >= 2 && RULED.iter().any(|word| inside.starts_with(word) || spaceless.starts_with(&word.replace(' ', "")))
}

/// The label of a line, in lower case, without marks and blanks.
fn label(line: &str) -> Option<String> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '|' | '>' | '-'));
    let end = line.char_indices().take(24).find(|(_, c)| matches!(c, ':' | '：' | '|')).map(|(at, _)| at)?;
    Some(line[..end].chars().filter(|c| !c.is_whitespace() && *c != '*').flat_map(char::to_lowercase).collect())
}

/// Whether a block begins here that names sender, time and subject of an earlier mail. `certain` says that the mail answers
/// another, or that there is a rule above. Otherwise the block has to contain an address, since customers also write `寄件人：`
/// about parcels.
fn block(lines: &[&str], certain: bool) -> bool {
    let begins = lines.first().and_then(|line| label(line)).is_some_and(|label| FROM.contains(&label.as_str()));
    if !begins {
        return false;
    }
    let (mut found, mut titled) = (0, false);
    let mut addressed = certain || lines.first().is_some_and(|line| line.contains('@'));
    for line in lines.iter().skip(1).take(BLOCK) {
        let label = label(line).filter(|label| FURTHER.contains(&label.as_str()));
        addressed |= line.contains('@') && !titled;
        match label {
            Some(label) => {
                found += 1;
                titled |= TITLE.contains(&label.as_str());
            }
            // An address list can be broken. A block is not broken by a blank line, but some programs put one between its
            // labels.
            _ if found == 0 && line.trim().is_empty() => {}
            _ if line.contains('@') || line.trim().is_empty() => {}
            _ => break,
        }
    }
    found >= 2 && titled && addressed
}

/// Recognises `On Mon, 1 Jan 2024 at 10:00, A <a@b> wrote:`, perhaps broken into several lines.
fn sentence(lines: &[&str]) -> Option<usize> {
    let mut joined = String::new();
    for (at, line) in lines.iter().take(BROKEN).enumerate() {
        let line = line.trim();
        if line.is_empty() || line.len() > 400 {
            return None;
        }
        joined.push_str(line);
        let lower = joined.to_lowercase();
        let wrote = WROTE.iter().any(|word| lower.ends_with(word));
        // A customer's own `刘先生2024年写道：` would begin like this, too. A date or an address tells the two apart.
        if wrote {
            return (dated(&joined) && opens(&lower)).then_some(at + 1);
        }
        if !opens(&lower) {
            return None;
        }
        joined.push(' ');
    }
    None
}

/// Whether a sentence begins like one about the time and the writer: with a word for when, with digits, or with an address.
fn opens(lower: &str) -> bool {
    let words =
        ["on ", "at ", "am ", "le ", "el ", "em ", "il ", "在 ", "在", "于", "於", "2", "1", "3", "\"", "'", "<", "“"];
    words.iter().any(|word| lower.starts_with(word)) || lower.split(' ').take(4).any(|word| word.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AGENT: &str = "您好，我们会赔偿您的损失。请问您还要投诉吗？";

    #[test]
    fn w13_what_the_customer_wrote_stands_apart_from_the_history() {
        let histories = [
            format!("在 2024年11月29日，上午10:00，暖线客服 <service@rice.example> 写道：\n\n> {AGENT}\n> 暖线"),
            format!("在 2024-11-29 10:00:00，\"暖线客服\" <service@rice.example> 写道：\n{AGENT}"),
            format!("暖线客服 <service@rice.example> 于2024年11月29日周五 10:00写道：\n\n> {AGENT}"),
            format!("On Fri, Nov 29, 2024 at 10:00 AM 暖线客服 <service@rice.example>\nwrote:\n\n> {AGENT}"),
            format!("On 29 Nov 2024, at 10:00, Service <service@rice.example> wrote:\n\n{AGENT}"),
            format!("At 2024-11-29 10:00:00, \"暖线\" <service@rice.example> wrote:\n>{AGENT}"),
            format!("2024年11月29日(金) 10:00 暖線 <service@rice.example>:\n\n> {AGENT}"),
            format!("2024/11/29 10:00、暖線 <service@rice.example>のメール:\n\n{AGENT}"),
            format!(
                "------------------ 原始邮件 ------------------\n发件人: \"service\" <service@rice.example>;\n主题: Re: x\n\n{AGENT}"
            ),
            format!("------------------&nbsp;原始邮件&nbsp;------------------\n{AGENT}").replace("&nbsp;", "\u{a0}"),
            format!("-----Original Message-----\nFrom: a\nSent: b\nTo: c\nSubject: d\n\n{AGENT}"),
            format!(
                "________________________________\nFrom: 暖线 <service@rice.example>\nSent: Friday\nTo: w@x\nSubject: Re: x\n\n{AGENT}"
            ),
            format!("发件人： service@rice.example\n发送时间： 2024-11-29 10:00\n收件人： w@x\n主题： Re: x\n{AGENT}"),
            format!("*发件人:* 暖线\n*发送时间:* 今天\n*主题:* Re\n\n{AGENT}"),
            format!("寄件者: 暖線\n日期: 今天\n收件者: w\n主旨: x\n\n{AGENT}"),
            format!("---- 回复的原邮件 ----\n| 发件人 | 暖线 |\n| 日期 | 今天 |\n{AGENT}"),
            format!("-----元のメッセージ-----\n差出人: 暖線\n送信日時: 今\n件名: x\n{AGENT}"),
            format!("---------- Forwarded message ---------\nFrom: A <a@b>\nDate: x\n{AGENT}"),
        ];
        for history in histories {
            for new in ["好的，谢谢。", "好的，谢谢。\n\n发自我的iPhone", "Thanks!\n-- \nWang"] {
                let found = split(&format!("{new}\n\n{history}"), true);
                assert_eq!(found.new, new, "{history}");
                assert!(found.quoted.is_some_and(|quoted| quoted.contains(AGENT)), "{history}");
            }
        }
    }

    #[test]
    fn w13_answers_below_and_between_the_lines_are_the_customers() {
        let below = format!("On Fri, 29 Nov 2024, Service <s@r> wrote:\n> {AGENT}\n>\n> 暖线\n\n不用了，我要退款。");
        let found = split(&below, true);
        assert_eq!((found.new.as_str(), found.quoted.is_some()), ("不用了，我要退款。", true));
        let between = "在 2024年11月29日，暖线 <s@r> 写道：\n> 订单号是多少？\n20240001\n> 什么时候买的？\n上周\n> 谢谢";
        let found = split(between, true);
        assert_eq!(found.new, "20240001\n上周");
        assert_eq!(found.quoted.unwrap().lines().count(), 4);
        assert_eq!(split("> 订单号？\n20240001", true).new, "20240001");
    }

    #[test]
    fn w13_the_customers_own_words_are_no_history() {
        for text in [
            ">_< 我要退货",
            ">100元的都不行",
            "他在2024年写道",
            "客服写道：不退",
            "From: 我家\n我要退货",
            "发件人写错了：请改",
            "----\n我要退货\n----",
            "请看：\n> 引用一句",
            "On Monday I wrote: please refund",
            "a -> b",
            "寄件人：王小姐\n收件人：李先生\n时间：11月29日\n包裹破了，我要投诉到12315",
            "From: Shanghai\nTo: Beijing\nDate: 3 May\n\nI want a refund",
            "寄件人：王小姐\n收件人：李先生\n主题：破损\n包裹破了，我要投诉到12315",
            "寄件人：王小姐\n收件人：w@x\n时间：11月29日\n包裹破了",
            "From: Shanghai\nTo: Beijing\nSubject: parcel\n\nMy mail is w@x",
        ] {
            assert_eq!(split(text, false), Split { new: text.to_owned(), quoted: None }, "{text}");
        }
        // In a reply, too, only a block that names a subject counts.
        for text in [
            "寄件人：王小姐\n收件人：李先生\n时间：11月29日\n包裹破了",
            "From: Shanghai\nTo: Beijing\nDate: 3 May\n\nrefund",
            ">100元的都不行",
        ] {
            assert_eq!(split(text, true), Split { new: text.to_owned(), quoted: None }, "{text}");
        }
    }

    #[test]
    fn w13_a_mark_without_a_blank_marks_too_inside_of_a_quotation() {
        let marked =
            ">您好，\n>1. 我们会赔偿您的损失\n>2. 您还要投诉到12315吗？\n>“\n>《\n>（一）\n>【二】\n>-\n>¥100\n>_<\n>";
        for introduction in
            ["At 2024-11-29 10:00:00, \"暖线\" <s@r> wrote:\n", "在 2024-11-29 10:00:00，暖线 <s@r> 写道：\n\n"]
        {
            for reply in [true, false] {
                let found = split(&format!("好的\n\n{introduction}{marked}\n\n我要退款"), reply);
                assert_eq!(found.new, "好的\n\n\n我要退款");
                assert!(found.quoted.is_some_and(|quoted| quoted.ends_with(marked)));
                // The first line may begin like this.
                let found = split(&format!("{introduction}>【暖线】\n>1. 赔偿\n不要"), reply);
                assert_eq!(found.new, "不要");
            }
        }
        // Without an introduction the first line has to be clearly marked.
        assert_eq!(split(&format!("好的\n{marked}\n不要"), true).new, "好的\n不要");
        assert_eq!(split("> 多少钱？\n100\n>100元的都不行", true).new, "100\n>100元的都不行");
        assert_eq!(split("> 多少钱？\n\n>100元的都不行", true).new, ">100元的都不行");
    }

    #[test]
    fn w13_a_mail_of_nothing_but_history_says_nothing() {
        let found = split(&format!("\n-----Original Message-----\nFrom: a\n{AGENT}"), true);
        assert_eq!((found.new.as_str(), found.quoted.is_some()), ("", true));
    }

    proptest! {
        #[test]
        fn w13_no_marked_line_behind_an_introduction_is_the_customers(
            lines in prop::collection::vec(">[^\n\r]{0,12}", 1..9), new in "[一-龥]{1,9}", reply: bool
        ) {
            let text = format!("{new}\n\nOn Fri, 29 Nov 2024, Service <s@r> wrote:\n{}", lines.join("\n"));
            prop_assert_eq!(split(&text, reply).new, new);
        }

        #[test]
        fn w13_every_line_is_on_one_side(text in "(> |>|在 2024年1月1日，a <a@b> 写道：|-----Original Message-----|From: a|Sent: b|To: c|\
            Subject: d|[一-龥]{1,4}|[a-z ]{1,8}|\n|\n\n|_____|  ){0,40}", reply: bool) {
            let found = split(&text, reply);
            let bare = |text: &str| {
                let mut lines: Vec<_> = text.lines().map(|l| l.split_whitespace().collect::<String>()).collect();
                lines.retain(|line| !line.is_empty());
                lines.sort();
                lines
            };
            let whole = format!("{}\n{}", found.new, found.quoted.clone().unwrap_or_default());
            prop_assert_eq!(bare(&whole), bare(&text));
        }

        #[test]
        fn w13_any_text_is_split(text in ".*", reply: bool) {
            let found = split(&text, reply);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            prop_assert_eq!(letters(&found.new) + letters(&found.quoted.unwrap_or_default()), letters(&text));
        }
    }
}
