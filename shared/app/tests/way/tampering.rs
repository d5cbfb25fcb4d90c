//! Values that do not open any more.

use crate::common::World;
use crate::people::{says, sender};
use warmline_kernel::tampering::{self, Broken, Value};
use warmline_model::MessageId;

#[test]
fn what_does_not_open_is_told_once_each_and_a_bounded_number_at_a_time() {
    let w = World::new();
    let customer = says(&w, "app", sender("a", &[]), "你好");
    let found: Vec<Broken> = (0..40)
        .map(|_| MessageId::new(w.ctx().now(), &w.rng))
        .map(|id| Broken { customer, conversation: None, what: Value::Message(id) })
        .collect();
    for told in [16, 32, 40, 40] {
        tampering::tell(&w.ctx(), &found).unwrap();
        assert_eq!(crate::count(&w, "seal.broken"), told);
    }
}
