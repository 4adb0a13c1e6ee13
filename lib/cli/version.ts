/** The version, from the package's own `package.json`: two folders up in the sources, three in `dist`. */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

export const VERSION: string = (require("brokerless/package.json") as { version: string }).version;
