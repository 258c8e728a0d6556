"""Stacks of the template in the emulator: the template as it stands, with functions that were built before."""

import contextlib
import hashlib
import io
import json
import pathlib
import re
import time
import tomllib
import zipfile

import botocore.exceptions

from emulator import ACCESS_KEY, REGION, SECRET_KEY

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATE = ROOT / "infra" / "template.yaml"
SEED = ROOT / "infra" / "local" / "seed.toml"
# Domain of the seed's inboxes.
MAIL_DOMAIN = "example.com"
# Bucket of the deployment, as `sam deploy --resolve-s3` makes one.
ARTIFACTS = "deployment-artifacts"
# Where the template says which folder a function is built from.
CODE = re.compile(r"CodeUri: \.\./functions/([a-z-]+)")
# What the emulator needs to be said otherwise.
WORKAROUNDS = [
    # It hands parameters on as texts, and cannot count with this one.
    ("MaximumConcurrency: !Ref MaximumConcurrency", "MaximumConcurrency: 2"),
    # It is asked without TLS, which the bucket refuses.
    ('{ Bool: { "aws:SecureTransport": "false" } }', '{ Bool: { "aws:SecureTransport": "unknown" } }'),
    # AWS has one action for sending one message and for sending several.
    ("                Action: sqs:SendMessage\n", "                Action: [sqs:SendMessage, sqs:SendMessageBatch]\n"),
    # It does not find out which identity a raw mail is sent from.
    (
        '- !Sub "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${MailDomain}"',
        '- "*"',
    ),
]
# It knows no alarms on a sum of metrics: each is put on the first metric of its sum.
SUM = re.compile(
    r"      Metrics:\n        - \{ Id: all, .*\n"
    r"(?:.*\n)*?              (Namespace: .*)\n +(MetricName: .*)\n +(Dimensions: .*)\n +Stat: (.*)\n +(Period: .*)\n"
    r"(?:.*\n)*?(?=      EvaluationPeriods:)"
)
FIRST_OF_SUM = r"      \1\n      \2\n      \3\n      Statistic: \4\n      \5\n"
# Longest wait for a stack, in seconds.
DEPLOY_MAX = 120
# Longest wait for a stack to be gone, in seconds: shorter than tests wait for the answer.
REMOVE_MAX = 25
# Seconds between two looks at a stack.
LOOK_EVERY = 0.1


def _worked_around(template):
    for there, here in WORKAROUNDS:
        assert there in template, f"the template does not say {there}"
        template = template.replace(there, here)
    template, sums = SUM.subn(FIRST_OF_SUM, template)
    assert sums and "MetricStat" not in template, "an alarm on a sum of metrics is written in another way"
    return template


class Stacks:
    """Deploys and removes stacks."""

    def __init__(self, emulator, binaries: pathlib.Path, issuer: str):
        self.emulator = emulator
        self.issuer = issuer
        self.seed = tomllib.loads(SEED.read_text())
        self.cloudformation = emulator.client("cloudformation")
        self.objects = emulator.client("s3")
        self.parameters = emulator.client("ssm")
        self.queues = emulator.client("sqs")
        self.events = emulator.client("events")
        self.objects.create_bucket(
            Bucket=ARTIFACTS, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        emulator.client("sesv2").create_email_identity(EmailIdentity=MAIL_DOMAIN)
        self.template = CODE.sub(lambda match: f"CodeUri: {self._package(binaries, match[1])}", TEMPLATE.read_text())
        # For the permission test: an edit of the template before it is deployed.
        self.edit = lambda template: template

    def _package(self, binaries, function):
        """Uploads a function's code, as `sam package` does; gives its address."""
        code = (binaries / function / "bootstrap").read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, code)
        key = f"{function}-{hashlib.sha256(code).hexdigest()[:16]}.zip"
        self.objects.put_object(Bucket=ARTIFACTS, Key=key, Body=buffer.getvalue())
        return f"s3://{ARTIFACTS}/{key}"

    def up(self, name):
        """Deploys a stack by a change set, as `sam deploy` does; gives what a test needs to know of it."""
        self._secrets(name)
        key = f"{name}.yaml"
        self.objects.put_object(Bucket=ARTIFACTS, Key=key, Body=_worked_around(self.edit(self.template)).encode())
        values = {
            "Stage": name,
            "MailDomain": MAIL_DOMAIN,
            "OidcIssuer": self.issuer,
            "OidcAudience": self.seed["oidc"]["audience"],
            "Architecture": "x86_64",
            # Receiving mail and CodeDeploy are not there in the emulator, and its identities have no DKIM records.
            "ReceiveMail": "false",
            "CreateMailIdentity": "false",
            "DeletionProtection": "false",
        }
        # The client asks again when an answer is late, and then its own change set is there already.
        with contextlib.suppress(self.cloudformation.exceptions.AlreadyExistsException):
            self.cloudformation.create_change_set(
                StackName=name,
                ChangeSetName="deploy",
                ChangeSetType="CREATE",
                TemplateURL=f"{self.emulator.endpoint}/{ARTIFACTS}/{key}",
                Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        self._wait(lambda: self.cloudformation.describe_change_set(StackName=name, ChangeSetName="deploy"))
        self.cloudformation.execute_change_set(StackName=name, ChangeSetName="deploy")
        stack = self._wait(lambda: self.cloudformation.describe_stacks(StackName=name)["Stacks"][0], "StackStatus")
        return self._facts(name, stack)

    def down(self, name):
        """Removes a stack; returns when it is gone, with all that the template does not keep."""
        self.cloudformation.delete_stack(StackName=name)
        until = time.monotonic() + REMOVE_MAX
        while stack := self._found(name):
            if stack["StackStatus"] == "DELETE_FAILED" or time.monotonic() > until:
                raise RuntimeError(f"the stack is {stack['StackStatus']}: {self._why(stack)}")
            time.sleep(LOOK_EVERY)

    def _found(self, name):
        """A stack, as long as it is there."""
        try:
            stack = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except botocore.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def _wait(self, look, status="Status"):
        until = time.monotonic() + DEPLOY_MAX
        while True:
            found = look()
            if found[status].endswith("_COMPLETE") and "ROLLBACK" not in found[status]:
                return found
            if "FAILED" in found[status] or "ROLLBACK" in found[status] or time.monotonic() > until:
                raise RuntimeError(f"the stack is {found[status]}: {self._why(found)}")
            time.sleep(LOOK_EVERY)

    def _why(self, found):
        reason = found.get("StatusReason") or found.get("StackStatusReason") or ""
        if name := found.get("StackName"):
            events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [e for e in events if e["ResourceStatus"].endswith("FAILED")]
            reason += "".join(f"\n  {e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in failed)
        return reason

    def _facts(self, name, stack):
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return {
            "name": name,
            "endpoint": self.emulator.endpoint,
            "region": REGION,
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
            "issuer": self.issuer,
            "listener": self._listener(name, outputs["EventBusName"]),
            "outputs": outputs,
        }

    def _listener(self, name, bus):
        """Somebody who listens on the event bus: a rule for everything of ours, and a queue."""
        url = self.queues.create_queue(QueueName=f"{name}-listener")["QueueUrl"]
        attributes = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        pattern = json.dumps({"source": ["throughline"]})
        self.events.put_rule(Name=f"{name}-listener", EventBusName=bus, EventPattern=pattern)
        self.events.put_targets(
            Rule=f"{name}-listener", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}]
        )
        return url

    def _secrets(self, stage):
        """What the operator's guide has people write into the Parameter Store, from the development secrets."""
        secrets = self.seed["secrets"]
        values = {"reply": secrets["reply"], **{f"inboxes/{k}": v for k, v in secrets["inboxes"].items()}}
        for name, value in values.items():
            self.parameters.put_parameter(
                Name=f"/throughline/{stage}/secrets/{name}", Type="SecureString", Value=json.dumps(value)
            )
