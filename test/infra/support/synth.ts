/** Templates of an EventLog, over bundles that hold nothing: what is asserted is the template, not the code. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { EventLog, type EventLogProps } from "../../../lib/cloud/index.ts";

export type Properties = Record<string, unknown>;
export interface Resource {
  readonly id: string;
  readonly properties: Properties;
  readonly deletionPolicy: string | undefined;
}

const root = mkdtempSync(join(tmpdir(), "brokerless-infra-"));

export const BUNDLES: string = (() => {
  const folder = join(root, "bundles");
  for (const name of [
    "api",
    "stream",
    "roll",
    "merge",
    "compact",
    "retain",
    "sweep",
    "lag",
    "expire",
    "queues",
    "transactions",
  ]) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "index.mjs"), "export const handler = () => {};\n");
  }
  return folder;
})();

const CDK_JSON = JSON.parse(readFileSync(new URL("../../../cdk.json", import.meta.url), "utf8")) as { context: Properties };

/** With the feature flags of the project's own app. */
export function makeApp(): App {
  return new App({ outdir: mkdtempSync(join(root, "out-")), context: CDK_JSON.context, analyticsReporting: false });
}

export function makeLog(props: EventLogProps = {}): { readonly app: App; readonly stack: Stack; readonly log: EventLog } {
  const app = makeApp();
  const stack = new Stack(app, "Test");
  return { app, stack, log: new EventLog(stack, "Log", { bundles: BUNDLES, ...props }) };
}

export class Synthesized {
  readonly template: Template;

  constructor(stack: Stack) {
    this.template = Template.fromStack(stack);
  }

  all(type: string): Resource[] {
    return Object.entries(this.template.findResources(type)).map(([id, resource]) => ({
      id,
      properties: (resource["Properties"] ?? {}) as Properties,
      deletionPolicy: resource["DeletionPolicy"] as string | undefined,
    }));
  }

  one(type: string): Resource {
    const [first, ...more] = this.all(type);
    if (first === undefined || more.length > 0) throw new Error(`${more.length + (first ? 1 : 0)} of ${type}, not one`);
    return first;
  }
}

export function synthesize(props: EventLogProps = {}): Synthesized {
  return new Synthesized(makeLog(props).stack);
}
