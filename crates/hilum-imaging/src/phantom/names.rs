//! Invented patients.

use super::anatomy::Habitus;
use super::dice::{Dice, Purpose};
use super::recipe::Sex;
use super::truth::PhantomPatient;

/// Romanised, hanja, hangul.
const FAMILIES: [(&str, &str, &str); 8] = [
    ("Hong", "洪", "홍"),
    ("Kim", "金", "김"),
    ("Lee", "李", "이"),
    ("Park", "朴", "박"),
    ("Choi", "崔", "최"),
    ("Jung", "鄭", "정"),
    ("Kang", "姜", "강"),
    ("Yoon", "尹", "윤"),
];
const WOMEN: [(&str, &str, &str); 6] = [
    ("Sihyeon", "試現", "시현"),
    ("Gasang", "假想", "가상"),
    ("Yeseul", "藝瑟", "예슬"),
    ("Mihyang", "美香", "미향"),
    ("Sunhui", "順姬", "순희"),
    ("Jeongsuk", "貞淑", "정숙"),
];
const MEN: [(&str, &str, &str); 6] = [
    ("Gildong", "吉洞", "길동"),
    ("Mohyeong", "模型", "모형"),
    ("Yesi", "例示", "예시"),
    ("Cheolsu", "哲洙", "철수"),
    ("Yeongho", "英浩", "영호"),
    ("Sanghun", "相勳", "상훈"),
];
const LATIN: [(&str, &str); 4] = [
    ("Phantom^Alex", "Phantom^Anna"),
    ("Specimen^Jan", "Specimen^Jana"),
    ("Muster^Max", "Muster^Erika"),
    ("Ejemplo^José", "Ejemplo^María"),
];

/// The invented identity of a seed: four in five Korean, the others Latin.
pub(super) fn patient(seed: u64, habitus: &Habitus) -> PhantomPatient {
    let mut dice = Dice::new(seed, Purpose::Name);
    let sex = habitus.sex;
    let (alphabetic, ideographic, phonetic) = if dice.chance(0.8) {
        let family = FAMILIES[dice.count(0, FAMILIES.len() - 1)];
        let given =
            if sex == Sex::Female { WOMEN[dice.count(0, WOMEN.len() - 1)] } else { MEN[dice.count(0, MEN.len() - 1)] };
        (
            format!("{}^{}", family.0, given.0),
            Some(format!("{}^{}", family.1, given.1)),
            Some(format!("{}^{}", family.2, given.2)),
        )
    } else {
        let (man, woman) = LATIN[dice.count(0, LATIN.len() - 1)];
        ((if sex == Sex::Female { woman } else { man }).to_owned(), None, None)
    };
    PhantomPatient {
        id: format!("SYN-{:06}", seed % 1_000_000),
        name_alphabetic: alphabetic,
        name_ideographic: ideographic,
        name_phonetic: phonetic,
        sex,
        age: habitus.age,
        weight_kg: habitus.weight_kg(),
        height_cm: habitus.height_cm(),
    }
}
