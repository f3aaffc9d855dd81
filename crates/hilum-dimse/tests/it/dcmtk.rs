//! dcmtk's echoscu and storescu.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use hilum_dimse::StoreOutcome;

use crate::server::{Running, config, data_set, part10, start, start_with};

/// Is dcmtk here? Else the reason is printed, or the test fails where the peers' tools are required.
pub fn dcmtk_is_here() -> bool {
    let here = Command::new("storescu").arg("--version").output().is_ok();
    if !here {
        assert!(
            std::env::var_os("HILUM_REQUIRE_ORACLES").is_none(),
            "storescu (Debian package dcmtk) is not installed"
        );
        println!("SKIPPED: storescu (Debian package dcmtk) is not installed");
    }
    here
}

pub async fn run(program: &'static str, arguments: Vec<String>) -> Output {
    tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output().expect("dcmtk runs"))
        .await
        .expect("dcmtk does not panic")
}

fn store_arguments(server: &Running, file: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = more.iter().map(ToString::to_string).collect();
    arguments.extend(["-aec".into(), "HILUM".into(), "127.0.0.1".into(), server.port(), file.display().to_string()]);
    arguments
}

#[tokio::test(flavor = "multi_thread")]
async fn echoscu_hears_success_many_times_on_one_association() {
    if !dcmtk_is_here() {
        return;
    }
    let server = start(config()).await;
    let output = run("echoscu", vec!["--repeat".into(), "20".into(), "127.0.0.1".into(), server.port()]).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn storescu_sends_a_file_and_the_bytes_kept_are_the_bytes_sent() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ct.dcm");
    std::fs::write(&file, part10("1.2.826.0.1.3680043.8.498.77", 1_000_000)).unwrap();
    let server = start(config()).await;
    // Explicit little endian only: storescu then sends the data set as it is in the file.
    let output = run("storescu", store_arguments(&server, &file, &["-xe", "-aet", "MODALITY1"])).await;
    assert!(output.status.success(), "{output:?}");
    let kept = server.recorder.kept.lock().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].data_set().unwrap(), data_set("1.2.826.0.1.3680043.8.498.77", 1_000_000));
    assert_eq!(kept[0].transfer_syntax.as_ref(), "1.2.840.10008.1.2.1");
    assert_eq!((kept[0].calling_ae.as_ref(), kept[0].called_ae.as_ref()), ("MODALITY1", "HILUM"));

    // What was kept is a file that dcmtk itself reads.
    let received = folder.path().join("received.dcm");
    std::fs::write(&received, kept[0].part10.to_memory().unwrap()).unwrap();
    let dump = Command::new("dcmdump").args(["+P", "0002,0016", "+P", "0008,0018"]).arg(&received).output().unwrap();
    let text = String::from_utf8_lossy(&dump.stdout);
    assert!(text.contains("[MODALITY1]") && text.contains("[1.2.826.0.1.3680043.8.498.77]"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn storescu_hears_why_when_there_is_no_room() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ct.dcm");
    std::fs::write(&file, part10("1.2.826.0.1.3680043.8.498.78", 5_000)).unwrap();
    let server = start(config()).await;
    *server.recorder.outcome.lock().unwrap() = StoreOutcome::OutOfResources;
    let output = run("storescu", store_arguments(&server, &file, &["-v"])).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("0xa700") || told.contains("OutOfResources"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_associations_at_once_all_arrive() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = start(config()).await;
    let mut senders = Vec::new();
    for sender in 0..4 {
        let own = folder.path().join(sender.to_string());
        std::fs::create_dir(&own).unwrap();
        for index in 0..25 {
            let sop = format!("1.2.826.0.1.3680043.8.498.{sender}.{index}");
            std::fs::write(own.join(format!("{index}.dcm")), part10(&sop, 200_000)).unwrap();
        }
        senders.push(tokio::spawn(run("storescu", store_arguments(&server, &own, &["+sd", "+r"]))));
    }
    for sender in senders {
        let output = sender.await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let kept = server.recorder.kept.lock().unwrap();
    let mut sops: Vec<_> = kept.iter().map(|instance| instance.sop.to_string()).collect();
    sops.sort();
    sops.dedup();
    assert_eq!(sops.len(), 100);
    for instance in kept.iter() {
        // Another association's bytes never end up in this buffer.
        let text = instance.sop.to_string();
        assert!(
            instance.data_set().unwrap().windows(text.len()).take(300).any(|window| window == text.as_bytes()),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_the_store_in_hand_finish() {
    if !dcmtk_is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ct.dcm");
    std::fs::write(&file, part10("1.2.826.0.1.3680043.8.498.79", 5_000)).unwrap();
    let mut server = start_with(config(), Duration::from_secs(1)).await;
    let sender = tokio::spawn(run("storescu", store_arguments(&server, &file, &["-v"])));
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.stop();
    (&mut server.task).await.unwrap();
    assert_eq!(server.kept(), 1);
    let output = sender.await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("Success"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_called_ae_title_is_refused_only_when_the_check_is_on() {
    if !dcmtk_is_here() {
        return;
    }
    let mut strict = config();
    strict.check_called_ae = true;
    let server = start(strict).await;
    let call = |title: &str| vec!["-aec".to_owned(), title.to_owned(), "127.0.0.1".to_owned(), server.port()];
    assert!(!run("echoscu", call("SOMEBODY")).await.status.success());
    assert!(run("echoscu", call("HILUM")).await.status.success());
    let tolerant = start(config()).await;
    let arguments = vec!["-aec".into(), "SOMEBODY".into(), "127.0.0.1".into(), tolerant.port()];
    assert!(run("echoscu", arguments).await.status.success());
}
