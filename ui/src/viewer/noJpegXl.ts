/** Stands in for the decoder of JPEG XL, a megabyte that no image here needs: the server decodes what it keeps in that syntax, or says that it cannot. */
export default function decoder(): never {
  throw new Error("JPEG XL is not decoded in the browser");
}
