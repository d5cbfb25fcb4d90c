#![no_main]
warmline_fuzz::channel!("wechat");
