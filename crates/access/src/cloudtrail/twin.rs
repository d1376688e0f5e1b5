//! The slow twin of the scanner: serde_json to [`Record`]. Tests hold the two against each other.

use std::borrow::Cow;

use serde_json::Value;

use super::record::{Extra, Identity, NAMING, Parameters, Record, Resource, Response, Session, Text};

fn text<'a>(value: &'a Value, key: &str) -> Text<'a> {
    value.get(key).and_then(Value::as_str).map(Cow::Borrowed)
}

/// Returns the record of a JSON value; `None` if it is no object.
pub(super) fn record(value: &Value) -> Option<Record<'_>> {
    value.as_object()?;
    let at = |key: &str| value.get(key).unwrap_or(&Value::Null);
    let (identity, parameters, response, extra) =
        (at("userIdentity"), at("requestParameters"), at("responseElements"), at("additionalEventData"));
    let session = identity.get("sessionContext").unwrap_or(&Value::Null);
    let attributes = session.get("attributes").unwrap_or(&Value::Null);
    let resource = at("resources").get(0).filter(|_| at("resources").is_array()).unwrap_or(&Value::Null);
    // The last of the two counts, as in the order of the text.
    let made = response.as_object().into_iter().flatten().rev();
    let made_key = made
        .filter(|(key, _)| matches!(key.as_str(), "credentials" | "accessKey"))
        .find_map(|(_, made)| made.get("accessKeyId"))
        .and_then(Value::as_str);
    let mut named = Parameters { bucket: text(parameters, "bucketName"), key: text(parameters, "key"), named: None };
    for (place, (name, _)) in NAMING.iter().enumerate() {
        named.name(place, text(parameters, name));
    }
    Some(Record {
        time: text(value, "eventTime"),
        service: text(value, "eventSource"),
        name: text(value, "eventName"),
        region: text(value, "awsRegion"),
        source: text(value, "sourceIPAddress"),
        agent: text(value, "userAgent"),
        error_code: text(value, "errorCode"),
        error_message: text(value, "errorMessage"),
        event_id: text(value, "eventID"),
        event_type: text(value, "eventType"),
        category: text(value, "eventCategory"),
        version: text(value, "eventVersion"),
        recipient: text(value, "recipientAccountId"),
        shared_id: text(value, "sharedEventID"),
        endpoint: text(value, "vpcEndpointId"),
        read_only: value.get("readOnly").and_then(Value::as_bool),
        identity: Identity {
            kind: text(identity, "type"),
            principal_id: text(identity, "principalId"),
            arn: text(identity, "arn"),
            account: text(identity, "accountId"),
            key: text(identity, "accessKeyId"),
            user: text(identity, "userName"),
            invoked_by: text(identity, "invokedBy"),
            on_behalf_of: identity.get("onBehalfOf").and_then(|user| text(user, "userId")),
            session: Session {
                created: text(attributes, "creationDate"),
                mfa: text(attributes, "mfaAuthenticated"),
                source_identity: text(session, "sourceIdentity"),
                role_delivery: text(session, "ec2RoleDelivery"),
            },
        },
        parameters: named,
        response: Response { console_login: text(response, "ConsoleLogin"), made_key: made_key.map(Cow::Borrowed) },
        extra: Extra {
            mfa_used: text(extra, "MFAUsed"),
            bytes_out: extra.get("bytesTransferredOut").and_then(Value::as_f64),
            bytes_in: extra.get("bytesTransferredIn").and_then(Value::as_f64),
        },
        resource: Resource { arn: text(resource, "ARN"), kind: text(resource, "type") },
    })
}
