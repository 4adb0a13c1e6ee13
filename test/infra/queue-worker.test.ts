/** The example of a worker as a stack of its own. */
import { Template } from "aws-cdk-lib/assertions";
import { test } from "vitest";
import { queueWorkerApp } from "../../examples/queue-worker/app.ts";
import { makeApp } from "./support/synth.ts";

test("a schedule starts the worker every minute; it is told of the log, the group and the topic, and reads its token from a secret", () => {
  const app = makeApp();
  app.node.setContext("url", "https://log.example");
  app.node.setContext("secret", "worker-token");
  const template = Template.fromStack(queueWorkerApp(app));
  template.hasResourceProperties("AWS::Scheduler::Schedule", { ScheduleExpression: "rate(1 minute)" });
  template.hasResourceProperties("AWS::Lambda::Function", {
    Environment: {
      Variables: {
        BROKERLESS_URL: "https://log.example",
        BROKERLESS_TOKEN: "{{resolve:secretsmanager:worker-token:SecretString:::}}",
        QUEUE_GROUP: "thumbnails",
        QUEUE_TOPIC: "uploads",
      },
    },
  });
});
