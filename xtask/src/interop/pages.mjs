// Opens pages in headless Chromium as somebody who signed in.
//
// Arguments: the server's address, login, then for each page: its path, a file for its picture, a text that it must show.
// The password comes from the environment (HILUM_PASSWORD). Prints what went wrong and ends with 1, or nothing.

import { browse, until } from "./chromium.mjs";

const [server, login, ...pages] = process.argv.slice(2);

await browse(async (page) => {
  await page.open(`${server}/`);
  await page.type("login", login);
  await page.type("password", process.env.HILUM_PASSWORD);
  await page.enter();
  await until("signing in did not open the page that was asked for", () => page.value("location.pathname === '/'"));
  for (let at = 0; at < pages.length; at += 3) {
    const [path, picture, text] = pages.slice(at, at + 3);
    await page.open(`${server}${path}`);
    // Pictures and charts come after the text.
    await page.shows(text);
    await page.picture(picture);
    if (await page.value("window.hilumHostile === true")) throw new Error(`${path} ran what stands in a DICOM text`);
  }
});
