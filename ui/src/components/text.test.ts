import { describe, expect, it } from "vitest";

import { displayName, millimetres, patientName, scoreText } from "./text";

describe("displayName", () => {
  it("turns component separators into spaces", () => {
    expect(displayName("Hong^Gildong^^Dr.")).toBe("Hong Gildong Dr.");
    expect(displayName("洪^吉洞")).toBe("洪 吉洞");
  });
});

describe("patientName", () => {
  const korean = {
    name: "Hong^Gildong", name_ideographic: "洪^吉洞", name_phonetic: "홍^길동", id: "1", sex: "M", birth_date: "",
  };

  it("begins with hangul in Korean and with the alphabetic group in English", () => {
    expect(patientName(korean, "ko")).toEqual({ main: "홍길동", beside: "Hong Gildong · 洪 吉洞" });
    expect(patientName(korean, "en")).toEqual({ main: "Hong Gildong", beside: "洪 吉洞 · 홍길동" });
  });

  it("takes what there is", () => {
    const latin = { ...korean, name: "Muster^Max", name_ideographic: null, name_phonetic: null };
    expect(patientName(latin, "ko")).toEqual({ main: "Muster Max", beside: "" });
  });
});

describe("millimetres", () => {
  it("shows no length for a refused geometry", () => {
    expect(millimetres(null)).toBe("–");
    expect(millimetres(4.26)).toBe("4.3");
  });
});

describe("scoreText", () => {
  it("cuts, so that a score below the threshold never looks as if it reached it", () => {
    expect(scoreText(0.4999, 3)).toBe("0.499");
    expect(scoreText(0.997)).toBe("0.99");
    expect([scoreText(1), scoreText(0), scoreText(0.29)]).toEqual(["1.00", "0.00", "0.29"]);
  });
});
