/// <reference types="vite/client" />

/** A page of the user guide, as HTML. */
declare module "*.md" {
  const html: string;
  export default html;
}
