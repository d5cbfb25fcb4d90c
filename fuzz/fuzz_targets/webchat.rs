#![no_main]
warmline_fuzz::channel!("webchat");
