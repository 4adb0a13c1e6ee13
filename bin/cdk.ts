#!/usr/bin/env node
/** The CDK app of this project: `npx cdk deploy`, with `-c dev=true`, `-c target=localstack` and so on (`docs/aws.md`). */
import { App } from "aws-cdk-lib";
import { EventLogStack, propsFromContext } from "../lib/cloud/index.ts";

const app = new App();
const account = process.env["CDK_DEFAULT_ACCOUNT"];
const region = process.env["CDK_DEFAULT_REGION"];
new EventLogStack(app, String(app.node.tryGetContext("name") ?? "Brokerless"), {
  description: "An event log without brokers",
  log: propsFromContext((name) => app.node.tryGetContext(name)),
  ...(account === undefined || region === undefined ? {} : { env: { account, region } }),
});
