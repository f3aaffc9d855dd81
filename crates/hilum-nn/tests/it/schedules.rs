//! Learning rates against PyTorch's schedulers.

use hilum_nn::{Schedule, ScheduleError};

use crate::pytorch::{numbers, record};

#[test]
fn learning_rates_are_those_of_pytorchs_schedulers() {
    let record = record();
    let cases = record["schedules"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let schedule: Schedule = serde_json::from_value(case["schedule"].clone()).unwrap();
        schedule.check().unwrap();
        let (expected, losses) = (numbers(&case["rates"]), numbers(&case["losses"]));
        for (t, expected) in expected.into_iter().enumerate() {
            let got = f64::from(schedule.rate(t, &losses[..t.min(losses.len())]));
            assert!((got - expected).abs() < 1e-8, "{schedule:?} at {t}: {got}, PyTorch {expected}");
        }
    }
}

#[test]
fn a_rate_stays_at_its_end_and_a_constant_one_where_it_is() {
    let nnunet = Schedule::Polynomial { rate: 0.01, length: 1000, power: 0.9 };
    assert_eq!([nnunet.rate(1000, &[]), nnunet.rate(5000, &[])], [0.0, 0.0]);
    let cosine: Schedule = toml::from_str("kind = \"cosine\"\nrate = 0.1\nlength = 10\nfloor = 0.02").unwrap();
    assert_eq!([cosine.rate(10, &[]), cosine.rate(usize::MAX, &[])], [0.02, 0.02]);
    assert_eq!(Schedule::Constant { rate: 3e-4 }.rate(7, &[1.0, 2.0]), 3e-4);
}

#[test]
fn schedules_that_give_no_rates_are_refused_by_field() {
    let refused = |text: &str| toml::from_str::<Schedule>(text).unwrap().check().unwrap_err();
    for (text, field) in [
        ("kind = \"constant\"\nrate = 0.0", "rate"),
        ("kind = \"step\"\nrate = 0.1\nevery = 0", "every"),
        ("kind = \"cosine\"\nrate = 0.1\nlength = 5\nwarm_up = 5", "length"),
        ("kind = \"cosine\"\nrate = 0.1\nlength = 5\nfloor = 0.2", "floor"),
        ("kind = \"polynomial\"\nrate = 0.1\nlength = 5\npower = nan", "power"),
        ("kind = \"plateau\"\nrate = 0.1\nfactor = 1.0", "factor"),
    ] {
        let ScheduleError { field: got, .. } = refused(text);
        assert_eq!(got, field, "{text}");
    }
    let unknown = toml::from_str::<Schedule>("kind = \"constant\"\nrate = 0.1\npower = 2").unwrap_err().to_string();
    assert!(unknown.contains("power"), "{unknown}");
}
