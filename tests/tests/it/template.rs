//! The template of the cloud stack against the code: what the code uses is there, as it uses it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use throughline_channels::upload::UPLOADS_PREFIX;
use throughline_platform::config::Setting;
use throughline_platform::files::FILES_PREFIX;
use throughline_platform::queues::LONG_WORK_PREFIX;
use throughline_platform::telemetry::{Dimension, METRICS, NAMESPACE};
use throughline_store::keys::COMMIT_PREFIX;
use throughline_store::{KeyKind, table_description};
use throughline_tests::{World, environment};

/// Queues with the functions that they feed, and the suffix of their names.
const QUEUES: [(&str, &str, &str); 5] = [
    ("Mail", "ingest-email", "mail"),
    ("Inbound", "resolve-identity", "inbound.fifo"),
    ("Identified", "upsert-ticket", "identified.fifo"),
    ("Routing", "route-ticket", "routing.fifo"),
    ("Outbound", "send-outbound", "outbound.fifo"),
];
/// Fourteen days, the longest that a queue keeps messages, in seconds.
const RETENTION: i64 = 1_209_600;
/// AWS asks for a visibility time-out of at least this many time-outs of the function.
const VISIBILITY_PER_TIMEOUT: i64 = 6;
/// What the service that feeds a function from a queue does with the function's role, and what the function does itself.
const TAKES: [&str; 4] =
    ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"];

/// What functions need of the environment.
fn needs() -> BTreeMap<&'static str, &'static [Setting]> {
    BTreeMap::from([
        ("ingest-email", ingest_email::NEEDS),
        ("ingest-webhook", ingest_webhook::NEEDS),
        ("resolve-identity", resolve_identity::NEEDS),
        ("upsert-ticket", upsert_ticket::NEEDS),
        ("route-ticket", route_ticket::NEEDS),
        ("escalate-sla", escalate_sla::NEEDS),
        ("relay-events", relay_events::NEEDS),
        ("send-outbound", send_outbound::NEEDS),
        ("serve-api", serve_api::NEEDS),
    ])
}

/// A file of `infra`.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The template as it is deployed where no table was restored.
fn template() -> Value {
    chosen(written(), false)
}

/// The template, with short tags written out: `!Ref X` is `{"Ref": "X"}`, `!Sub X` is `{"Fn::Sub": "X"}`.
fn written() -> Value {
    let text = match environment::template() {
        None => file("template.yaml"),
        Some(path) => std::fs::read_to_string(path).expect("another template"),
    };
    plain(serde_norway::from_str(&text).expect("the template is YAML"))
}

fn plain(value: serde_norway::Value) -> Value {
    use serde_norway::Value as Yaml;
    match value {
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let name = if matches!(name, "Ref" | "Condition") { name.to_owned() } else { format!("Fn::{name}") };
            json!({name: plain(tagged.value)})
        }
        Yaml::Mapping(entries) => {
            let text = |key: Yaml| key.as_str().map(str::to_owned).expect("keys are texts");
            Value::Object(entries.into_iter().map(|(key, value)| (text(key), plain(value))).collect())
        }
        Yaml::Sequence(items) => items.into_iter().map(plain).collect(),
        scalar => serde_json::to_value(scalar).expect("a scalar"),
    }
}

/// What is said on the condition that a table was restored, or that none was.
fn chosen(value: Value, is_restored: bool) -> Value {
    match value {
        Value::Object(fields) => match fields.get("Fn::If").and_then(Value::as_array).map(Vec::as_slice) {
            Some([name, restored, own]) if name == "IsRestored" => if is_restored { restored } else { own }.clone(),
            _ => fields.into_iter().map(|(name, value)| (name, chosen(value, is_restored))).collect(),
        },
        Value::Array(items) => items.into_iter().map(|item| chosen(item, is_restored)).collect(),
        scalar => scalar,
    }
}

/// All resources of a type, by their names.
fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = template["Resources"].as_object().expect("resources").iter();
    all.filter(|(_, resource)| resource["Type"] == kind).map(|(name, resource)| (name.as_str(), resource)).collect()
}

/// The functions, by the names of their folders.
fn functions(template: &Value) -> BTreeMap<String, (String, Value)> {
    let found = of_type(template, "AWS::Serverless::Function").into_iter();
    let named = found.map(|(logical, resource)| {
        let code = resource["Properties"]["CodeUri"].as_str().expect("a folder");
        let folder = code.strip_prefix("../functions/").expect("a function's folder");
        assert_eq!(resource["Metadata"]["BuildProperties"]["Binary"], folder, "{logical} is built from its folder");
        assert_eq!(resource["Properties"]["FunctionName"], json!({"Fn::Sub": format!("${{AWS::StackName}}-{folder}")}));
        (folder.to_owned(), (logical.trim_end_matches("Function").to_owned(), resource["Properties"].clone()))
    });
    named.collect()
}

/// What a function may do: actions with the resources that they are allowed on.
fn grants(template: &Value, logical: &str) -> BTreeSet<(String, String)> {
    let role = &template["Resources"][format!("{logical}Role")]["Properties"];
    let policies = role["Policies"].as_array().expect("policies");
    let mut grants = BTreeSet::new();
    for statement in policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("some"))
    {
        assert_eq!(statement["Effect"], "Allow");
        for action in listed(&statement["Action"]) {
            for resource in listed(&statement["Resource"]) {
                let action = action.as_str().expect("an action").to_owned();
                assert!(!action.contains('*'), "{logical} may do {action}");
                grants.insert((action, resource.to_string()));
            }
        }
    }
    grants
}

fn listed(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn attribute(resource: &str) -> String {
    json!({"Fn::GetAtt": format!("{resource}.Arn")}).to_string()
}

#[test]
fn every_function_is_there_with_what_it_reads_from_its_environment() {
    let template = template();
    let functions = functions(&template);
    let folders: BTreeSet<&str> = functions.keys().map(String::as_str).collect();
    assert_eq!(folders, needs().into_keys().collect());
    for (folder, needs) in needs() {
        let given = functions[folder].1["Environment"]["Variables"].as_object().expect("variables");
        let given: BTreeSet<&str> = given.keys().map(String::as_str).collect();
        assert_eq!(given, needs.iter().map(|need| need.name()).collect(), "{folder}");
    }
}

#[test]
fn what_functions_are_told_of_they_may_use_and_nothing_else() {
    let template = template();
    for (folder, (logical, properties)) in functions(&template) {
        let grants = grants(&template, &logical);
        let variables = properties["Environment"]["Variables"].as_object().expect("variables");
        let told = |suffix: &str| -> BTreeSet<String> {
            let of_queue = variables.iter().filter(|(name, _)| name.ends_with(suffix));
            of_queue.map(|(_, value)| attribute(value["Ref"].as_str().expect("a queue"))).collect()
        };
        let mut sends: BTreeSet<String> = may(&grants, "sqs:SendMessage");
        sends.remove(&attribute("StreamDeadQueue"));
        assert_eq!(sends, told("_QUEUE_URL"), "{folder} sends to the queues that it is told of");
        assert_eq!(!may(&grants, "events:PutEvents").is_empty(), variables.contains_key("EVENT_BUS_NAME"), "{folder}");
        assert_eq!(!may(&grants, "ssm:GetParameter").is_empty(), variables.contains_key("SECRETS_PATH"), "{folder}");
        let objects = grants.iter().any(|(action, _)| action.starts_with("s3:"));
        assert_eq!(objects, variables.contains_key("BUCKET_NAME"), "{folder}");
        for (action, resource) in &grants {
            assert!(resource != "\"*\"", "{folder} may do {action} with everything");
            let of_others =
                resource.contains("Queue.Arn") && action != "sqs:SendMessage" && !TAKES.contains(&action.as_str());
            assert!(!of_others, "{folder} may do {action} with {resource}");
        }
        let log = format!("${{{logical}Logs}}");
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            let logs = may(&grants, action);
            assert!(logs.len() == 1 && logs.iter().all(|resource| resource.contains(&log)), "{folder}: {action}");
        }
        assert_eq!(properties["LoggingConfig"]["LogGroup"], json!({"Ref": format!("{logical}Logs")}), "{folder}");
    }
}

/// The resources that an action is allowed on.
fn may(grants: &BTreeSet<(String, String)>, action: &str) -> BTreeSet<String> {
    grants.iter().filter(|(allowed, _)| allowed == action).map(|(_, resource)| resource.clone()).collect()
}

#[test]
fn queues_feed_their_functions() {
    let template = template();
    let functions = functions(&template);
    let visibility = template["Parameters"]["VisibilitySeconds"]["Default"].as_i64().expect("a number");
    let mut queues = of_type(&template, "AWS::SQS::Queue");
    for (queue, folder, suffix) in QUEUES {
        let (logical, properties) = &functions[folder];
        let timeout = properties["Timeout"].as_i64().or(template["Globals"]["Function"]["Timeout"].as_i64());
        assert!(visibility >= VISIBILITY_PER_TIMEOUT * timeout.expect("a time-out"), "{folder}");
        let dead_suffix = match suffix.strip_suffix(".fifo") {
            Some(base) => format!("{base}-dead.fifo"),
            None => format!("{suffix}-dead"),
        };
        let main = format!("{queue}Queue");
        let dead = format!("{queue}DeadQueue");
        for (name, suffix) in [(&main, suffix), (&dead, dead_suffix.as_str())] {
            let properties = &queues.remove(name.as_str()).unwrap_or_else(|| panic!("{name} is missing"))["Properties"];
            // The batch driver knows dead letters by the end of the queue's name.
            assert_eq!(properties["QueueName"], json!({"Fn::Sub": format!("${{AWS::StackName}}-{suffix}")}));
            assert_eq!(properties["MessageRetentionPeriod"], RETENTION, "{name}");
            assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
            if suffix.ends_with(".fifo") {
                let mode = (&properties["DeduplicationScope"], &properties["FifoThroughputLimit"]);
                assert_eq!(mode, (&json!("messageGroup"), &json!("perMessageGroupId")), "{name}: high throughput");
            }
        }
        let redrive = &template["Resources"][&main]["Properties"]["RedrivePolicy"];
        assert_eq!(redrive["deadLetterTargetArn"].to_string(), attribute(&dead));
        let sources = properties["Events"].as_object().expect("event sources").values();
        let sources: BTreeSet<String> = sources
            .filter(|source| source["Type"] == "SQS")
            .map(|source| {
                let properties = &source["Properties"];
                assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{folder}");
                assert_eq!(properties["ScalingConfig"]["MaximumConcurrency"], json!({"Ref": "MaximumConcurrency"}));
                properties["Queue"].to_string()
            })
            .collect();
        assert_eq!(sources, BTreeSet::from([attribute(&main), attribute(&dead)]), "{folder}");
        let grants = grants(&template, logical);
        for action in TAKES {
            assert_eq!(may(&grants, action), sources, "{folder}: {action}");
        }
    }
    assert_eq!(queues.into_keys().collect::<Vec<_>>(), ["StreamDeadQueue"], "no further queues");
}

#[test]
fn the_table_is_the_one_that_the_store_describes() {
    let template = template();
    let table = &template["Resources"]["Table"]["Properties"];
    let description = table_description();
    let schema = |keys: [throughline_store::Key; 2]| -> Value {
        let kind = |key: throughline_store::Key| if key.kind == KeyKind::Hash { "HASH" } else { "RANGE" };
        keys.iter().map(|key| json!({"AttributeName": key.attribute, "KeyType": kind(*key)})).collect()
    };
    assert_eq!(table["KeySchema"], schema(description.keys));
    let indexes: Vec<Value> = description
        .indexes
        .iter()
        .map(|index| {
            let projection = json!({"ProjectionType": "KEYS_ONLY"});
            json!({"IndexName": index.name, "KeySchema": schema(index.keys), "Projection": projection})
        })
        .collect();
    assert_eq!(table["GlobalSecondaryIndexes"], Value::Array(indexes));
    let indexed = description.indexes.iter().flat_map(|index| index.keys);
    let wanted: BTreeSet<&str> = description.keys.into_iter().chain(indexed).map(|key| key.attribute).collect();
    let attributes = table["AttributeDefinitions"].as_array().expect("attributes").iter();
    let attributes = attributes.inspect(|attribute| assert_eq!(attribute["AttributeType"], "S"));
    assert_eq!(attributes.filter_map(|a| a["AttributeName"].as_str()).collect::<BTreeSet<_>>(), wanted);
    assert_eq!(table["TimeToLiveSpecification"], json!({"AttributeName": description.ttl, "Enabled": true}));
    assert_eq!(table["StreamSpecification"]["StreamViewType"], "NEW_IMAGE");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    // Indexes that a function may ask are indexes that there are.
    let known: Vec<&str> = description.indexes.iter().map(|index| index.name).collect();
    for (folder, (logical, _)) in functions(&template) {
        for resource in may(&grants(&template, &logical), "dynamodb:Query") {
            let index = resource.split_once("/index/").map(|(_, name)| name.trim_end_matches(['"', '}']));
            assert!(index.is_none_or(|name| known.contains(&name)), "{folder}: {resource}");
        }
    }
}

/// What the emulator cannot show for files of providers, who are elsewhere.
#[test]
fn who_stores_files_may_write_them_and_who_links_them_may_read_them() {
    let template = template();
    let attachments = format!("/{FILES_PREFIX}*");
    let may_with = |logical: &str, action: &str, what: &str| {
        may(&grants(&template, logical), action).iter().any(|resource| resource.contains(what))
    };
    assert!(may_with("IngestEmail", "s3:PutObject", &attachments), "the files of mails");
    assert!(may_with("SendOutbound", "s3:PutObject", &attachments), "the files that providers hold");
    assert!(may_with("SendOutbound", "ssm:GetParameter", "/secrets/inboxes/*"), "the tokens to get them");
    assert!(may_with("ServeApi", "s3:GetObject", &attachments), "a link has the rights of who signs it");
    for place in [attachments.as_str(), "/bodies/*", "/mail/*"] {
        assert!(may_with("ServeApi", "s3:DeleteObject", place), "what erased customers sent goes from {place}");
    }
    let uploads = format!("/{UPLOADS_PREFIX}*");
    assert!(may_with("IngestWebhook", "s3:PutObject", &uploads), "so has a form");
    assert!(may_with("IngestWebhook", "s3:GetObject", &uploads), "what was uploaded");
    assert!(may_with("IngestWebhook", "s3:GetObject", "/bodies/*"), "a chat's long texts");
    assert!(may_with("IngestWebhook", "s3:PutObject", &attachments), "is stored as its sender's");
    let long_work = format!("/{LONG_WORK_PREFIX}*");
    for logical in ["IngestEmail", "IngestWebhook", "ResolveIdentity", "ServeApi"] {
        assert!(may_with(logical, "s3:PutObject", &long_work), "{logical} sends messages, which may be long");
    }
    for logical in ["ResolveIdentity", "UpsertTicket"] {
        assert!(may_with(logical, "s3:GetObject", &long_work), "{logical} gets them");
    }
    let bucket = &template["Resources"]["Bucket"]["Properties"];
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
    let kept = rules.iter().find(|rule| rule["Prefix"] == UPLOADS_PREFIX).expect("a rule for uploads");
    assert_eq!((&kept["Status"], &kept["ExpirationInDays"]), (&json!("Enabled"), &json!(1)));
    assert!(rules.iter().any(|rule| rule["Prefix"] == LONG_WORK_PREFIX), "a rule for long work");
    let pages = &bucket["CorsConfiguration"]["CorsRules"][0];
    assert_eq!(pages["AllowedOrigins"], json!({"Ref": "AllowedOrigins"}));
    assert_eq!(pages["AllowedMethods"], json!(["POST"]));
}

#[test]
fn the_stream_brings_new_commits_only() {
    let template = template();
    let source = &functions(&template)["relay-events"].1["Events"]["Commits"]["Properties"];
    let filters = source["FilterCriteria"]["Filters"].as_array().expect("filters");
    let filter: Value = serde_json::from_str(filters[0]["Pattern"].as_str().expect("a pattern")).expect("JSON");
    assert_eq!(filters.len(), 1);
    assert_eq!(filter["eventName"], json!(["INSERT"]));
    assert_eq!(filter["dynamodb"]["Keys"]["sk"]["S"], json!([{"prefix": COMMIT_PREFIX}]));
    assert_eq!(source["StartingPosition"], "TRIM_HORIZON");
    assert_eq!(source["ParallelizationFactor"], 1);
    assert_eq!(source["BisectBatchOnFunctionError"], true);
    assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
    let destination = &source["DestinationConfig"]["OnFailure"]["Destination"];
    assert_eq!(destination.to_string(), attribute("StreamDeadQueue"));
    let grants = grants(&template, "RelayEvents");
    let stream = json!({"Fn::GetAtt": "Table.StreamArn"}).to_string();
    for action in ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"] {
        assert_eq!(may(&grants, action), BTreeSet::from([stream.clone()]), "{action}");
    }
    assert!(!may(&grants, "dynamodb:ListStreams").is_empty());
    assert!(may(&grants, "sqs:SendMessage").contains(&attribute("StreamDeadQueue")));
}

#[test]
fn with_a_restored_table_nothing_touches_the_stacks_own() {
    let restored = chosen(written(), true);
    let text = |restored: &Value| restored["Resources"].to_string() + &restored["Outputs"].to_string();
    for own in [r#"{"Ref":"Table"}"#, "\"Table.Arn", "\"Table.StreamArn", "${Table.Arn}", "${Table}"] {
        assert!(!text(&restored).contains(own), "{own}");
    }
    // And for all that is said of the stack's own, the same is said of the restored one.
    let arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTable}";
    let renamed = text(&template())
        .replace(r#"{"Ref":"Table"}"#, r#"{"Ref":"RestoredTable"}"#)
        .replace(
            r#"{"Fn::GetAtt":"Table.StreamArn"}"#,
            &format!(r#"{{"Fn::Sub":"{arn}/stream/${{RestoredTableStream}}"}}"#),
        )
        .replace(r#"{"Fn::GetAtt":"Table.Arn"}"#, &format!(r#"{{"Fn::Sub":"{arn}"}}"#))
        .replace("${Table.Arn}", arn);
    assert_eq!(text(&restored), renamed);
}

#[test]
fn mail_leaves_as_the_domain_and_by_its_configuration_set() {
    let template = template();
    let domain = &template["Resources"]["MailIdentity"]["Properties"];
    assert_eq!(domain["EmailIdentity"], json!({"Ref": "MailDomain"}));
    assert_eq!(domain["ConfigurationSetAttributes"]["ConfigurationSetName"], json!({"Ref": "SentMail"}));
    // SES asks for both where the identity has one (AccessDenied else), and the emulator for neither.
    let may_use = may(&grants(&template, "SendOutbound"), "ses:SendRawEmail");
    for resource in ["identity/${MailDomain}", "configuration-set/${AWS::StackName}"] {
        assert!(may_use.iter().any(|allowed| allowed.contains(resource)), "{resource} is not among {may_use:?}");
    }
    assert_eq!(may_use.len(), 2, "{may_use:?}");
}

#[tokio::test]
async fn pages_of_others_may_use_every_method_that_there_is() {
    let world = World::start().await;
    let described = world.get("/v1/openapi.json").await;
    let paths = described["paths"].as_object().expect("paths").values();
    let methods = paths.flat_map(|path| path.as_object().expect("methods").keys());
    let methods: BTreeSet<String> = methods.map(|method| method.to_uppercase()).collect();
    assert!(methods.contains("DELETE"), "{methods:?}");
    let allowed = &template()["Resources"]["HttpApi"]["Properties"]["CorsConfiguration"]["AllowMethods"];
    let allowed: BTreeSet<String> = serde_json::from_value(allowed.clone()).expect("methods");
    assert_eq!(allowed, methods, "API Gateway answers for the functions which methods pages may use");
    world.finish().await;
}

#[test]
fn every_example_region_says_what_the_template_asks_for() {
    let template = template();
    let parameters = template["Parameters"].as_object().expect("parameters");
    let asked = parameters.iter().filter(|(_, parameter)| parameter.get("Default").is_none());
    let asked: BTreeSet<&str> = asked.map(|(name, _)| name.as_str()).collect();
    let config: toml::Table = file("samconfig.toml").parse().expect("TOML");
    let sections = config.iter().filter(|(name, _)| !matches!(name.as_str(), "version" | "default"));
    let (mut regions, mut stages) = (BTreeSet::new(), Vec::new());
    for (name, section) in sections {
        let deploy = &section["deploy"]["parameters"];
        let given = deploy["parameter_overrides"].as_array().expect("a list").iter();
        let given: BTreeMap<&str, &str> =
            given.map(|line| line.as_str().and_then(|line| line.split_once('=')).expect("Name=value")).collect();
        for name in given.keys() {
            assert!(parameters.contains_key(*name), "{name} is no parameter");
        }
        assert!(asked.iter().all(|asked| given.contains_key(asked)), "{name} does not say all of {asked:?}");
        regions.insert(deploy["region"].as_str());
        stages.push(given["Stage"]);
    }
    assert!(regions.len() >= 3, "three examples: {regions:?}");
    let own: BTreeSet<_> = stages.iter().collect();
    assert_eq!(own.len(), stages.len(), "each has a stage of its own: {stages:?}");
}

/// The alarms on a metric of functions, by function.
fn alarms_on(template: &Value, metric: &str) -> BTreeMap<String, String> {
    let alarms = of_type(template, "AWS::CloudWatch::Alarm").into_iter();
    // It waits longer, for the one mail that nobody can read.
    let on =
        alarms.filter(|(name, alarm)| alarm["Properties"]["MetricName"] == metric && *name != "MailComesAgainAlarm");
    let by_function = on.map(|(name, alarm)| {
        let of = &alarm["Properties"]["Dimensions"][0]["Value"];
        let of = of.as_str().or(of["Fn::Sub"].as_str()).expect("a function");
        (of.trim_start_matches("${AWS::StackName}-").to_owned(), name.to_owned())
    });
    by_function.collect()
}

/// Errors and panics in a batch are no errors of the function: it answers which records come again.
#[test]
fn every_failure_of_a_function_raises_an_alarm_and_takes_new_code_back() {
    let template = template();
    let measuring =
        |name: &str| METRICS.iter().find(|metric| metric.name == name).expect("a metric").functions.to_vec();
    let all: Vec<&str> = needs().into_keys().collect();
    let mut heeded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (metric, of) in [("Errors", all), ("failed", measuring("failed")), ("quarantined", measuring("quarantined"))] {
        let alarms = alarms_on(&template, metric);
        assert_eq!(alarms.keys().map(String::as_str).collect::<BTreeSet<_>>(), of.into_iter().collect(), "{metric}");
        for (folder, alarm) in alarms {
            heeded.entry(folder).or_default().insert(alarm);
        }
    }
    let http = &template["Resources"]["HttpFailsAlarm"]["Properties"];
    assert_eq!((&http["Namespace"], &http["MetricName"]), (&json!("AWS/ApiGateway"), &json!("5xx")));
    assert_eq!(http["Dimensions"], json!([{"Name": "ApiId", "Value": {"Ref": "HttpApi"}}]));
    for folder in ["ingest-webhook", "serve-api"] {
        heeded.entry(folder.to_owned()).or_default().insert("HttpFailsAlarm".to_owned());
    }
    for (folder, (_, properties)) in functions(&template) {
        let preference = listed(&properties["DeploymentPreference"]["Alarms"]);
        let named = preference.iter().filter_map(|alarm| alarm["Ref"].as_str()).map(str::to_owned);
        assert_eq!(named.collect::<BTreeSet<_>>(), heeded[&folder], "{folder}");
    }
}

/// A dead letter that cannot be quarantined is deferred: then it is not visible.
#[test]
fn dead_letters_are_seen_whether_visible_or_not() {
    let template = template();
    for (queue, _, _) in QUEUES {
        let alarm = &template["Resources"][format!("{queue}DeadAlarm")]["Properties"];
        let queries = alarm["Metrics"].as_array().expect("metric math");
        let of = json!({"Fn::GetAtt": format!("{queue}DeadQueue.QueueName")});
        let counted: BTreeSet<&str> = queries
            .iter()
            .filter(|query| query["MetricStat"]["Metric"]["Dimensions"][0]["Value"] == of)
            .filter_map(|query| query["MetricStat"]["Metric"]["MetricName"].as_str())
            .collect();
        let both = ["ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible"];
        assert_eq!(counted, BTreeSet::from(both), "{queue}");
        let sum: Vec<&str> = queries.iter().filter_map(|query| query["Expression"].as_str()).collect();
        assert_eq!(sum, ["visible + hidden"], "{queue}");
    }
}

#[test]
fn the_dashboard_and_the_alarms_show_what_functions_measure() {
    let template = template();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let body: Value = serde_json::from_str(body.as_str().expect("a text")).expect("the dashboard is JSON");
    let shown = body["widgets"].as_array().expect("widgets").iter().flat_map(|widget| {
        let metrics = widget["properties"]["metrics"].as_array().expect("metrics").iter();
        metrics.map(|metric| metric.as_array().expect("a metric").clone())
    });
    // (name, dimension, its value where one is named)
    let mut used: BTreeSet<(String, String, Option<String>)> = BTreeSet::new();
    for metric in shown {
        let text = |place: usize| metric.get(place).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text(0) == NAMESPACE {
            used.insert((text(1), text(2), Some(text(3))));
        }
        // SEARCH('{Throughline,channel} MetricName="messages_accepted"', 'Sum', 300)
        if let Some(search) =
            metric[0]["expression"].as_str().and_then(|text| text.strip_prefix("SEARCH('{Throughline,"))
        {
            let (dimension, rest) = search.split_once("} MetricName=\"").expect("a search for a name");
            used.insert((rest.split('"').next().unwrap_or_default().to_owned(), dimension.to_owned(), None));
        }
    }
    for alarm in of_type(&template, "AWS::CloudWatch::Alarm").values().map(|alarm| &alarm["Properties"]) {
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "AlarmTopic"}]));
        if alarm["Namespace"] == NAMESPACE {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let dimension = &alarm["Dimensions"][0];
            used.insert((text(&alarm["MetricName"]), text(&dimension["Name"]), Some(text(&dimension["Value"]))));
        }
    }
    assert!(used.len() > 20, "they show something: {used:?}");
    for (name, dimension, value) in used {
        let metric = METRICS.iter().find(|metric| metric.name == name && metric.dimension.as_str() == dimension);
        let metric = metric.unwrap_or_else(|| panic!("nobody measures {name} by {dimension}"));
        let by_function = metric.dimension == Dimension::Function;
        let emitted = value.as_deref().is_none_or(|value| !by_function || metric.functions.contains(&value));
        assert!(emitted, "{value:?} does not measure {name}");
    }
}
