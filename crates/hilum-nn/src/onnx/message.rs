//! Protobuf on the wire: the few kinds of fields that ONNX needs.

/// A protobuf message under construction.
#[derive(Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }

    pub(super) fn int(&mut self, field: u64, v: u64) {
        self.varint(field << 3);
        self.varint(v);
    }

    pub(super) fn float(&mut self, field: u64, v: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(v.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, field: u64, v: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(v.len() as u64);
        self.0.extend(v);
    }

    pub(super) fn text(&mut self, field: u64, v: &str) {
        self.bytes(field, v.as_bytes());
    }

    pub(super) fn message(&mut self, field: u64, v: &Message) {
        self.bytes(field, &v.0);
    }
}

/// An attribute of type INTS.
pub(super) fn ints(name: &str, values: impl IntoIterator<Item = usize>) -> Message {
    let mut a = Message::default();
    a.text(1, name);
    for v in values {
        a.int(8, v as u64);
    }
    a.int(20, 7);
    a
}

/// An attribute of type INT.
pub(super) fn int(name: &str, value: u64) -> Message {
    let mut a = Message::default();
    a.text(1, name);
    a.int(3, value);
    a.int(20, 2);
    a
}

/// An attribute of type FLOAT.
pub(super) fn float(name: &str, value: f32) -> Message {
    let mut a = Message::default();
    a.text(1, name);
    a.float(2, value);
    a.int(20, 1);
    a
}

/// An attribute of type STRING.
pub(super) fn text(name: &str, value: &str) -> Message {
    let mut a = Message::default();
    a.text(1, name);
    a.text(4, value);
    a.int(20, 3);
    a
}
