/**
 * Names are imported from the file that declares them, not through an index that exports them again. esbuild has each file
 * once for all pieces of a bundle, and takes what an index names for needed wherever the index is: without this, what only a
 * piece that is loaded later needs (S3's XML, say) is read at every cold start.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Plugin, PluginBuild } from "esbuild";
import { hasStandIn } from "./slim.ts";

const IMPORT = /^import\s*\{([^}]*)\}\s*from\s*["']([^"']+)["'];?/gm;
const EXPORT_FROM = /^export\s*(?:\*|\{([^}]*)\})\s*from\s*["']([^"']+)["'];?/gm;
const DECLARED = /^export\s+(?:async\s+)?(?:const|let|var|function\*?|class)\s+([\w$]+)/gm;
const TYPE = /^export\s+type\s[^;]*;/gm;
const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;

interface Exports {
  /** Exports what other files declare, and does nothing else. */
  readonly isIndex: boolean;
  readonly declared: ReadonlySet<string>;
  readonly named: ReadonlyMap<string, { readonly from: string; readonly name: string }>;
  /** `export *` */
  readonly all: readonly string[];
}

/** Of one run: what it finds out it keeps, for all bundles that are made. */
export function straightImports(): Plugin {
  const files = new Files();
  const loaded = new Map<string, Promise<string | undefined>>();
  return {
    name: "straight-imports",
    setup(build) {
      build.onLoad({ filter: /(lambdas|lib|@aws-sdk|@smithy)\/.*\.(ts|js)$/ }, async ({ path }) => {
        let contents = loaded.get(path);
        if (contents === undefined) {
          contents = straightSource(files, build, path);
          loaded.set(path, contents);
        }
        const source = await contents;
        return source === undefined ? undefined : { contents: source, loader: path.endsWith(".ts") ? "ts" : "js" };
      });
    },
  };
}

/** Undefined for a file that is as it was. */
async function straightSource(files: Files, build: PluginBuild, path: string): Promise<string | undefined> {
  const source = await readFile(path, "utf8");
  const parts: string[] = [];
  let done = 0;
  for (const found of source.matchAll(IMPORT)) {
    const [statement, names = "", from = ""] = found;
    const straight = await straightened(files, build, { path, names, from });
    if (straight === undefined) continue;
    parts.push(source.slice(done, found.index), straight);
    done = found.index + statement.length;
  }
  return done === 0 ? undefined : parts.join("") + source.slice(done);
}

interface Import {
  /** Of the file that has it. */
  readonly path: string;
  readonly names: string;
  readonly from: string;
}

/** What stands for an import statement; undefined where it stays. */
async function straightened(files: Files, build: PluginBuild, { path, names, from }: Import): Promise<string | undefined> {
  const file = await files.resolve(build, path, from);
  if (file === undefined || hasStandIn(file) || !(await files.exportsOf(file)).isIndex) return undefined;
  const statements: string[] = [];
  for (const { name, as } of specifiers(names)) {
    const place = (await files.find(build, file, name)) ?? { file, name };
    statements.push(`import { ${place.name} as ${as} } from ${JSON.stringify(place.file)};`);
  }
  return statements.join(" ");
}

/** `a, b as c, type D`: without what is a type. */
function specifiers(list: string): { name: string; as: string }[] {
  return list
    .replace(COMMENT, "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "" && !one.startsWith("type "))
    .map((one) => {
      const [name = "", as = name] = one.split(/\s+as\s+/);
      return { name, as };
    });
}

class Files {
  readonly #exports = new Map<string, Promise<Exports>>();
  readonly #resolved = new Map<string, Promise<string | undefined>>();

  /** Undefined for what stays outside the bundle. */
  resolve(build: PluginBuild, importer: string, from: string): Promise<string | undefined> {
    const key = `${dirname(importer)} ${from}`;
    let file = this.#resolved.get(key);
    if (file === undefined) {
      file = resolve(build, importer, from);
      this.#resolved.set(key, file);
    }
    return file;
  }

  exportsOf(file: string): Promise<Exports> {
    let exports = this.#exports.get(file);
    if (exports === undefined) {
      exports = readFile(file, "utf8").then(readExports);
      this.#exports.set(file, exports);
    }
    return exports;
  }

  /** Where a name that a file exports is declared; undefined where that cannot be told. */
  async find(build: PluginBuild, file: string, name: string): Promise<{ file: string; name: string } | undefined> {
    const { isIndex, declared, named, all } = await this.exportsOf(file);
    if (declared.has(name)) return { file, name };
    if (!isIndex) return undefined;
    const one = named.get(name);
    for (const next of one === undefined ? all.map((from) => ({ from, name })) : [one]) {
      const there = await this.resolve(build, file, next.from);
      const place = there === undefined ? undefined : await this.find(build, there, next.name);
      if (place !== undefined) return place;
      if (one !== undefined && there !== undefined) return { file: there, name: next.name };
    }
    return undefined;
  }
}

async function resolve(build: PluginBuild, importer: string, from: string): Promise<string | undefined> {
  const options = { importer, resolveDir: dirname(importer), kind: "import-statement" } as const;
  const { path, external, namespace, errors } = await build.resolve(from, options);
  return errors.length > 0 || external || namespace !== "file" ? undefined : path;
}

function readExports(source: string): Exports {
  const declared = new Set([...source.matchAll(DECLARED)].map(([, name]) => name as string));
  const named = new Map<string, { from: string; name: string }>();
  const all: string[] = [];
  for (const [, names, from = ""] of source.matchAll(EXPORT_FROM)) {
    if (names === undefined) all.push(from);
    else for (const { name, as } of specifiers(names)) named.set(as, { from, name });
  }
  const rest = source.replace(EXPORT_FROM, "").replace(TYPE, "").replace(COMMENT, "");
  return { isIndex: rest.trim() === "", declared, named, all };
}
