//! The one-pass scanner: JSON text to [`Record`].

use super::record::{Extra, Identity, NAMING, Parameters, Record, Resource, Response, Session, Text};
use crate::error::Broken;
use crate::json::Cursor;

/// Reads the record that the cursor stands before. Returns `None` if the value is no object.
pub(super) fn record<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Record<'a>>, Broken> {
    let mut record = Record::default();
    let is_object = cursor.object(|cursor, key| {
        match key {
            b"eventVersion" => record.version = cursor.text()?,
            b"userIdentity" => record.identity = identity(cursor)?,
            b"eventTime" => record.time = cursor.text()?,
            b"eventSource" => record.service = cursor.text()?,
            b"eventName" => record.name = cursor.text()?,
            b"awsRegion" => record.region = cursor.text()?,
            b"sourceIPAddress" => record.source = cursor.text()?,
            b"userAgent" => record.agent = cursor.text()?,
            b"errorCode" => record.error_code = cursor.text()?,
            b"errorMessage" => record.error_message = cursor.text()?,
            b"requestParameters" => record.parameters = parameters(cursor)?,
            b"responseElements" => record.response = response(cursor)?,
            b"additionalEventData" => record.extra = extra(cursor)?,
            b"eventID" => record.event_id = cursor.text()?,
            b"readOnly" => record.read_only = cursor.truth()?,
            b"resources" => record.resource = resource(cursor)?,
            b"eventType" => record.event_type = cursor.text()?,
            b"recipientAccountId" => record.recipient = cursor.text()?,
            b"sharedEventID" => record.shared_id = cursor.text()?,
            b"vpcEndpointId" => record.endpoint = cursor.text()?,
            b"eventCategory" => record.category = cursor.text()?,
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(is_object.then_some(record))
}

/// Returns the text of one field of an object.
fn text_of<'a>(cursor: &mut Cursor<'a>, name: &[u8]) -> Result<Text<'a>, Broken> {
    let mut text = None;
    cursor.object(|cursor, key| {
        match key == name {
            true => text = cursor.text()?,
            false => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(text)
}

fn identity<'a>(cursor: &mut Cursor<'a>) -> Result<Identity<'a>, Broken> {
    let mut identity = Identity::default();
    cursor.object(|cursor, key| {
        match key {
            b"type" => identity.kind = cursor.text()?,
            b"principalId" => identity.principal_id = cursor.text()?,
            b"arn" => identity.arn = cursor.text()?,
            b"accountId" => identity.account = cursor.text()?,
            b"accessKeyId" => identity.key = cursor.text()?,
            b"userName" => identity.user = cursor.text()?,
            b"invokedBy" => identity.invoked_by = cursor.text()?,
            b"identityProvider" => identity.identity_provider = cursor.text()?,
            b"sessionContext" => identity.session = session(cursor)?,
            b"onBehalfOf" => identity.on_behalf_of = text_of(cursor, b"userId")?,
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(identity)
}

fn session<'a>(cursor: &mut Cursor<'a>) -> Result<Session<'a>, Broken> {
    let mut session = Session::default();
    cursor.object(|cursor, key| {
        match key {
            b"sessionIssuer" => session.issuer = text_of(cursor, b"arn")?,
            b"attributes" => {
                (session.created, session.mfa) = (None, None);
                cursor.object(|cursor, key| {
                    match key {
                        b"creationDate" => session.created = cursor.text()?,
                        b"mfaAuthenticated" => session.mfa = cursor.text()?,
                        _ => _ = cursor.skip()?,
                    }
                    Ok(())
                })?;
            }
            b"sourceIdentity" => session.source_identity = cursor.text()?,
            b"ec2RoleDelivery" => session.role_delivery = cursor.text()?,
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(session)
}

fn parameters<'a>(cursor: &mut Cursor<'a>) -> Result<Parameters<'a>, Broken> {
    let mut parameters = Parameters::default();
    cursor.object(|cursor, key| {
        match key {
            b"bucketName" => parameters.bucket = cursor.text()?,
            b"key" => parameters.key = cursor.text()?,
            _ => match NAMING.iter().position(|(name, _)| name.as_bytes() == key) {
                Some(place) => {
                    let text = cursor.text()?;
                    parameters.name(place, text);
                }
                None => drop(cursor.skip()?),
            },
        }
        Ok(())
    })?;
    Ok(parameters)
}

fn response<'a>(cursor: &mut Cursor<'a>) -> Result<Response<'a>, Broken> {
    let mut response = Response::default();
    cursor.object(|cursor, key| {
        match key {
            b"ConsoleLogin" => response.console_login = cursor.text()?,
            b"credentials" | b"accessKey" => {
                cursor.object(|cursor, key| {
                    match key {
                        b"accessKeyId" => response.made_key = cursor.text()?,
                        _ => _ = cursor.skip()?,
                    }
                    Ok(())
                })?;
            }
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(response)
}

fn extra<'a>(cursor: &mut Cursor<'a>) -> Result<Extra<'a>, Broken> {
    let mut extra = Extra::default();
    cursor.object(|cursor, key| {
        match key {
            b"MFAUsed" => extra.mfa_used = cursor.text()?,
            b"bytesTransferredOut" => extra.bytes_out = cursor.number()?,
            b"bytesTransferredIn" => extra.bytes_in = cursor.number()?,
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(extra)
}

fn resource<'a>(cursor: &mut Cursor<'a>) -> Result<Resource<'a>, Broken> {
    let mut first = None;
    cursor.array(|cursor| {
        if first.is_some() {
            return cursor.skip().map(drop);
        }
        let mut resource = Resource::default();
        cursor.object(|cursor, key| {
            match key {
                b"ARN" => resource.arn = cursor.text()?,
                b"type" => resource.kind = cursor.text()?,
                _ => _ = cursor.skip()?,
            }
            Ok(())
        })?;
        first = Some(resource);
        Ok(())
    })?;
    Ok(first.unwrap_or_default())
}
