/** Burrow, for `npm run test:clients`: Debian's package, unpacked; and ZooKeeper from Maven, without which it does not start. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../emulators/process.ts";
import { has, type Installed, once } from "./install.ts";

/** What we promise to work with; `docs/clients.md` says so too. */
export const BURROW = "1.2.1";
const ZOOKEEPER = "3.9.3";

/** ZooKeeper, and what its server needs and its pom does not bring. */
const ARTIFACTS = [
  ["org.apache.zookeeper", "zookeeper", ZOOKEEPER],
  ["io.dropwizard.metrics", "metrics-core", "4.1.12.1"],
  ["org.xerial.snappy", "snappy-java", "1.1.10.5"],
] as const;

/** `zooKeeper`: the class path of its server. */
export async function installBurrow(): Promise<Installed<{ command: string; zooKeeper: string }>> {
  if (!has("java", "-version") || !has("mvn", "-version")) return { missing: "there is no java, or no mvn, for ZooKeeper" };
  if (!has("apt-get", "--version") || !has("dpkg-deb", "--version")) return { missing: "there is no apt-get" };
  if (!has("apt-cache", "show", `burrow`)) return { missing: "this system has no package burrow" };
  const burrow = await once(`burrow-${BURROW}`, async (into) => {
    await run("apt-get", ["download", "burrow"], into, { tries: 2 });
    for (const file of await readdir(into)) if (file.endsWith(".deb")) await run("dpkg-deb", ["-x", file, "root"], into);
  });
  const zooKeeper = await once(`zookeeper-${ZOOKEEPER}`, async (into) => {
    const dependencies = ARTIFACTS.map(
      ([group, artifact, version]) =>
        `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
    );
    await writeFile(
      join(into, "pom.xml"),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>brokerless</groupId><artifactId>zookeeper-server</artifactId><version>1</version><dependencies>
${dependencies.join("\n")}
</dependencies></project>
`,
    );
    await run("mvn", ["-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=class-path.txt"], into, { tries: 2 });
  });
  return {
    command: join(burrow, "root/usr/bin/Burrow"),
    zooKeeper: await readFile(join(zooKeeper, "class-path.txt"), "utf8"),
  };
}
