//! Hilum or its peer, as what is measured sees them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::orthanc::Orthanc;
use crate::http::Client;
use crate::interop::server::Server;

/// One of the two that are measured.
pub enum System {
    Hilum(Server),
    Orthanc(Orthanc),
}

impl System {
    /// Starts Hilum, or the peer, on a folder of its own.
    pub fn start(hilum: &Path, folder: &Path, peer: bool) -> anyhow::Result<Self> {
        Ok(if peer { Self::Orthanc(Orthanc::start(folder)?) } else { Self::Hilum(Server::start_with(hilum, folder)?) })
    }

    /// The same, with nothing that follows an arrival: reports of 10,000 studies would be made for minutes.
    pub fn start_without_reports(hilum: &Path, folder: &Path, peer: bool) -> anyhow::Result<Self> {
        if peer {
            Self::start(hilum, folder, true)
        } else {
            Ok(Self::Hilum(Server::start_without_reports(hilum, folder)?))
        }
    }

    /// A connection that is let in.
    pub fn client(&self) -> anyhow::Result<Client> {
        match self {
            Self::Hilum(server) => Client::connect(server.http, Some(&server.token)),
            Self::Orthanc(orthanc) => Client::connect(orthanc.http, None),
        }
    }

    pub fn dimse(&self) -> SocketAddr {
        match self {
            Self::Hilum(server) => server.dimse,
            Self::Orthanc(orthanc) => orthanc.dimse,
        }
    }

    pub fn pid(&self) -> u32 {
        match self {
            Self::Hilum(server) => server.pid(),
            Self::Orthanc(orthanc) => orthanc.pid(),
        }
    }

    /// Whatever follows an arrival is over.
    pub fn at_rest(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Hilum(server) => server.settled(Duration::from_mins(10)),
            Self::Orthanc(_) => {
                std::thread::sleep(Duration::from_secs(2));
                Ok(())
            }
        }
    }
}
