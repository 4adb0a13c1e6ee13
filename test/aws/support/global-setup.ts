/**
 * Where the suites find AWS. `AWS_ENDPOINT_URL` names it (bootstrapped for `cdk`, where stacks are deployed); where it does
 * not, MiniStack is started, and DynamoDB Local beside it where Java and Maven are there.
 */
import type { TestProject } from "vitest/node";
import { bootstrap } from "../../../.ci/aws-local.ts";
import { startDynamodbLocal, whyNoDynamodbLocal } from "../../../.ci/emulators/dynamodb-local.ts";
import { startMinistack } from "../../../.ci/emulators/ministack.ts";
import type { Emulator } from "../../../.ci/emulators/process.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly awsEndpoint: string;
    /** Undefined where it cannot run, or another endpoint was named. */
    readonly dynamodbLocalEndpoint: string | undefined;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const named = process.env["AWS_ENDPOINT_URL"];
  if (named !== undefined) {
    project.provide("awsEndpoint", named);
    project.provide("dynamodbLocalEndpoint", undefined);
    return async () => {};
  }
  const [ministack, dynamodbLocal] = await Promise.all([startMinistack(), dynamodbLocalIfItCan()]);
  // Once: two deployments at once would both begin it.
  await bootstrap(ministack.endpoint);
  project.provide("awsEndpoint", ministack.endpoint);
  project.provide("dynamodbLocalEndpoint", dynamodbLocal?.endpoint);
  return async () => {
    await Promise.all([ministack.stop(), dynamodbLocal?.stop()]);
  };
}

async function dynamodbLocalIfItCan(): Promise<Emulator | undefined> {
  const reason = await whyNoDynamodbLocal();
  if (reason === undefined) return startDynamodbLocal();
  process.stdout.write(`not over DynamoDB Local: ${reason}\n`);
  return undefined;
}
