/**
 * Kafka clients of other languages, for `npm run test:clients`: fetched once, into node_modules/.cache, by the ordinary tools
 * of each. Where such a tool is not there, the answer says which.
 */
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, installOnce } from "../emulators/cache.ts";
import { run } from "../emulators/process.ts";
import { findPython, makeVenv } from "../emulators/python.ts";

/** What we promise to work with; `docs/clients.md` has the same table. */
export const VERSIONS = {
  kcat: "1.7.1",
  "confluent-kafka": "2.16.1",
  "kafka-python": "3.0.12",
  aiokafka: "0.14.0",
  "franz-go": "1.22.2",
  kafka: "4.3.1",
} as const;

/** How to run it, or why it is not there. */
export type Installed<T> = ({ readonly missing?: undefined } & T) | { readonly missing: string };

/** A folder that is whole or not there at all. */
export async function once(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, "clients", name);
  await installOnce(folder, join(folder, ".whole"), async (into) => {
    await mkdir(into, { recursive: true });
    await fill(into);
    await writeFile(join(into, ".whole"), "");
  });
  return folder;
}

export function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status === 0;
}

/** Its own binary where it is installed; else Debian's package, unpacked. */
export async function installKcat(): Promise<Installed<{ command: string; env: Record<string, string> }>> {
  if (has("kcat", "-V")) return { command: "kcat", env: {} };
  if (!has("apt-get", "--version") || !has("dpkg-deb", "--version"))
    return { missing: "kcat is not installed, and there is no apt-get" };
  const folder = await once(`kcat-${VERSIONS.kcat}`, async (into) => {
    const dependencies = [
      "kcat",
      "librdkafka1",
      "libyajl2",
      "libavro23",
      "libserdes1",
      "libjansson4",
      "libcurl4",
      "libsnappy1v5",
    ];
    const known = dependencies.filter((name) => has("apt-cache", "show", name));
    await run("apt-get", ["download", ...known], into, { tries: 2 });
    for (const file of await readdir(into)) if (file.endsWith(".deb")) await run("dpkg-deb", ["-x", file, "root"], into);
  });
  const libraries = join(folder, "root/usr/lib");
  const triples = (await readdir(libraries)).filter((name) => name.includes("-linux-"));
  return {
    command: join(folder, "root/usr/bin/kcat"),
    env: { LD_LIBRARY_PATH: triples.map((name) => join(libraries, name)).join(":") },
  };
}

/** A virtual environment with the three Python clients, and the codecs that two of them leave to others. */
export async function installPython(): Promise<Installed<{ command: string }>> {
  const found = await findPython([3, 10]).catch((error: Error) => error);
  if (found instanceof Error) return { missing: found.message };
  const wanted = (["confluent-kafka", "kafka-python", "aiokafka"] as const).map((name) => `${name}==${VERSIONS[name]}`);
  const folder = await once(wanted.join("_").replaceAll("==", "-"), async (into) => {
    await makeVenv(found, into);
    const pip = ["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    await run("bin/pip", [...pip, ...wanted, "lz4", "python-snappy", "zstandard", "cramjam"], into, { tries: 2 });
  });
  return { command: join(folder, "bin/python") };
}

/** The Go program over franz-go in this folder, compiled. */
export function installFranz(sources: string): Promise<Installed<{ command: string }>> {
  const version = VERSIONS["franz-go"];
  return installGo("franz", sources, [`github.com/twmb/franz-go@v${version}`, "github.com/twmb/franz-go/pkg/kadm"]);
}

/** The Go program in a folder, over modules, the first of which names the folder it is made in by its version; compiled. */
export async function installGo(
  name: string,
  sources: string,
  modules: readonly [string, ...string[]],
): Promise<Installed<{ command: string }>> {
  if (!has("go", "version")) return { missing: "there is no go" };
  const names = (await readdir(sources)).filter((file) => file.endsWith(".go"));
  const copyInto = (folder: string) => Promise.all(names.map((file) => copyFile(join(sources, file), join(folder, file))));
  const folder = await once(`${name}-go-${modules[0].split("@v").at(-1)}`, async (into) => {
    await writeFile(join(into, "go.mod"), `module brokerless.test/${name}\n\ngo 1.24\n`);
    await copyInto(into);
    await run("go", ["get", ...modules], into, { tries: 2 });
    await run("go", ["mod", "tidy"], into, { tries: 2 });
  });
  // The program is ours and changes; what it needs does not.
  await copyInto(folder);
  await run("go", ["build", "-o", `${name}.new`, ...names], folder);
  await rename(join(folder, `${name}.new`), join(folder, name));
  return { command: join(folder, name) };
}

/** The class path of Kafka's own command-line tools. */
export async function installKafka(): Promise<Installed<{ classPath: string }>> {
  if (!has("java", "-version") || !has("mvn", "-version")) return { missing: "there is no java, or no mvn" };
  const dependency = (group: string, artifact: string, version: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  const folder = await once(`kafka-${VERSIONS.kafka}`, async (into) => {
    await writeFile(
      join(into, "pom.xml"),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>brokerless</groupId><artifactId>kafka-tools</artifactId><version>1</version><dependencies>
${dependency("org.apache.kafka", "kafka_2.13", VERSIONS.kafka)}
${dependency("org.apache.kafka", "kafka-tools", VERSIONS.kafka)}
${dependency("org.slf4j", "slf4j-nop", "1.7.36")}
</dependencies></project>
`,
    );
    await run("mvn", ["-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class-path.txt"], into, { tries: 2 });
  });
  return { classPath: await readFile(join(folder, "class-path.txt"), "utf8") };
}
