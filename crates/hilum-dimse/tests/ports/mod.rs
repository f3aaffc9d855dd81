//! Ports for peers that must be told theirs before they listen. Included by path where one is needed; needs the standard library
//! alone.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that Linux gives to whoever asks for any (32768 and above), as each client and each server at port 0 does.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// An address on loopback that nobody listens at, that no client is given, and that this process is told once.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests run as processes side by side, with numbers near each other.
    let start = std::process::id() * 61;
    for _ in 0..COUNT {
        let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = u16::try_from((start + turn) % u32::from(COUNT)).expect("less than COUNT");
        let address = SocketAddr::from(([127, 0, 0, 1], FIRST + offset));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port from {FIRST} on is free");
}
