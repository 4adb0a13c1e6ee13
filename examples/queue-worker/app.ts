/**
 * The worker as a stack of its own: a function, and the schedule that starts it. `cdk deploy --app "node app.ts" -c url=https://…`, with
 * the URL of an event log; `-c secret=<name>` names a secret with a token that may read the group and its topics, where the log asks for one.
 */
import { join } from "node:path";
import { App, Duration, SecretValue, Stack } from "aws-cdk-lib";
import { Runtime } from "aws-cdk-lib/aws-lambda";
import { NodejsFunction, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";
import { Schedule, ScheduleExpression } from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";

const FOLDER = import.meta.dirname;

export function queueWorkerApp(app: App = new App()): Stack {
  const setting = (name: string, otherwise: string): string => app.node.tryGetContext(name) ?? otherwise;
  const stack = new Stack(app, setting("name", "QueueWorker"));
  const secret = setting("secret", "");
  const worker = new NodejsFunction(stack, "Worker", {
    functionName: setting("name", "QueueWorker"),
    entry: join(FOLDER, "worker.ts"),
    depsLockFilePath: join(FOLDER, "../../package-lock.json"),
    projectRoot: join(FOLDER, "../.."),
    runtime: Runtime.NODEJS_24_X,
    timeout: Duration.minutes(1),
    bundling: { format: OutputFormat.ESM },
    environment: {
      BROKERLESS_URL: setting("url", ""),
      QUEUE_GROUP: setting("group", "thumbnails"),
      QUEUE_TOPIC: setting("topic", "uploads"),
      ...(secret === "" ? {} : { BROKERLESS_TOKEN: SecretValue.secretsManager(secret).unsafeUnwrap() }),
    },
  });
  new Schedule(stack, "Schedule", {
    schedule: ScheduleExpression.rate(Duration.minutes(Number(setting("everyMinutes", "1")))),
    target: new LambdaInvoke(worker, { retryAttempts: 0 }),
  });
  return stack;
}

if (import.meta.main) queueWorkerApp();
