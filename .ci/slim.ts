/**
 * What esbuild leaves in a bundle though nothing uses it, taken out. Each part fails the build where its library has
 * changed so that it no longer finds what it looks for.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Plugin } from "esbuild";

/**
 * The SDK lists the shapes of every operation of a service in one module. Their computed keys keep esbuild from dropping
 * those that nobody names; inside a pure call it can.
 */
export const dropUnusedShapes: Plugin = {
  name: "drop-unused-shapes",
  setup(build) {
    build.onLoad({ filter: /@aws-sdk\/client-[\w-]+\/.*\/schemas_0\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace(/^((?:export )?var \S+ = )\[([\s\S]*?)\];$/gm, "$1/* @__PURE__ */ (() => [$2])();");
      if (contents === source) throw new Error(`${path} has no shapes as they were known`);
      return { contents, loader: "js" };
    });
  },
};

/** The document is written beside the bundle as `openapi.json`: what makes it, and makes JSON schemas of zod's, stays out. */
export const describeBeforehand: Plugin = {
  name: "describe-beforehand",
  setup(build) {
    build.onLoad({ filter: /lib\/http\/openapi\.ts$/ }, () => ({
      contents: `import { readFileSync } from "node:fs";
        export const describeApi = async () => JSON.parse(readFileSync(new URL("./openapi.json", import.meta.url), "utf8"));`,
      loader: "js",
    }));
    build.onLoad(
      { filter: /zod\/v4\/core\/(to-json-schema|json-schema-processors|json-schema-generator)\.js$/ },
      async ({ path }) => {
        const source = await readFile(path, "utf8");
        const names = [...source.matchAll(/^export (?:const|function|class) (\w+)/gm)].map(([, name]) => name as string);
        if (names.length === 0) throw new Error(`${path} exports nothing that is known`);
        // zod makes one `toJSONSchema` for each schema, whether or not it is called.
        const stubs = names.map((name) => `export const ${name} = ${name.startsWith("create") ? "() => never" : "never"};`);
        const contents = `const never = () => { throw new Error("JSON schemas are made with the bundles"); };\n${stubs.join("\n")}`;
        return { contents, loader: "js" };
      },
    );
  },
};

/**
 * What the SDK brings for others: ways to find credentials (Lambda hands them over in the environment), an HTTP client (ours
 * is `lib/storage/aws/http.ts`), the discovery of endpoints, and all that its package.json says beside the version.
 */
const STAND_INS: readonly { readonly filter: RegExp; readonly contents: string }[] = [
  {
    filter: /@aws-sdk\/credential-provider-node\/dist-es\/index\.js$/,
    contents: 'export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";',
  },
  {
    filter: /@smithy\/node-http-handler\/dist-es\/node-http-handler\.js$/,
    contents: `const none = () => { throw new Error("this bundle's client has a request handler of its own"); };
      export const NodeHttpHandler = { create: (given) => (typeof given === "function" ? { handle: none } : given) };
      export const DEFAULT_REQUEST_TIMEOUT = 0;`,
  },
  {
    filter: /@aws-sdk\/endpoint-cache\/dist-es\/index\.js$/,
    contents: "export class EndpointCache { get() {} set() {} delete() {} getEndpoint() {} }",
  },
];

export function hasStandIn(path: string): boolean {
  return STAND_INS.some(({ filter }) => filter.test(path));
}

export const standIns: Plugin = {
  name: "stand-ins",
  setup(build) {
    const used = new Set<RegExp>();
    for (const { filter, contents } of STAND_INS) {
      build.onLoad({ filter }, ({ path }) => {
        used.add(filter);
        return { contents, loader: "js", resolveDir: dirname(path) };
      });
    }
    build.onLoad({ filter: /@aws-sdk\/client-[\w-]+\/package\.json$/ }, async ({ path }) => {
      const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string };
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
    build.onEnd(() => {
      for (const { filter } of STAND_INS) if (!used.has(filter)) throw new Error(`nothing in the bundle is ${filter}`);
    });
  },
};
