//! The one-pass scanner: JSON text to [`Record`].

use super::record::{Extra, Identity, Parameters, Record, Resource, Response, Session, Text, naming};
use crate::error::Broken;
use crate::json::Cursor;

/// Reads the record that the cursor stands before into one that is empty. Returns whether the value is an object.
pub(super) fn record<'a>(cursor: &mut Cursor<'a>, record: &mut Record<'a>) -> Result<bool, Broken> {
    cursor.object(|cursor, key| {
        match key {
            b"eventVersion" => cursor.text_to(&mut record.version)?,
            b"userIdentity" => identity(cursor, &mut record.identity)?,
            b"eventTime" => cursor.text_to(&mut record.time)?,
            b"eventSource" => cursor.text_to(&mut record.service)?,
            b"eventName" => cursor.text_to(&mut record.name)?,
            b"awsRegion" => cursor.text_to(&mut record.region)?,
            b"sourceIPAddress" => cursor.text_to(&mut record.source)?,
            b"userAgent" => cursor.text_to(&mut record.agent)?,
            b"errorCode" => cursor.text_to(&mut record.error_code)?,
            b"errorMessage" => cursor.text_to(&mut record.error_message)?,
            b"requestParameters" => parameters(cursor, &mut record.parameters)?,
            b"responseElements" => response(cursor, &mut record.response)?,
            b"additionalEventData" => extra(cursor, &mut record.extra)?,
            b"eventID" => cursor.text_to(&mut record.event_id)?,
            b"readOnly" => record.read_only = cursor.truth()?,
            b"resources" => resource(cursor, &mut record.resource)?,
            b"eventType" => cursor.text_to(&mut record.event_type)?,
            b"recipientAccountId" => cursor.text_to(&mut record.recipient)?,
            b"sharedEventID" => cursor.text_to(&mut record.shared_id)?,
            b"vpcEndpointId" => cursor.text_to(&mut record.endpoint)?,
            b"eventCategory" => cursor.text_to(&mut record.category)?,
            _ => cursor.pass()?,
        }
        Ok(())
    })
}

/// Takes the text of one field of an object.
fn text_of<'a>(cursor: &mut Cursor<'a>, name: &[u8], text: &mut Text<'a>) -> Result<(), Broken> {
    *text = None;
    cursor.object(|cursor, key| if key == name { cursor.text_to(text) } else { cursor.pass() })?;
    Ok(())
}

fn identity<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Broken> {
    *identity = Identity::default();
    cursor.object(|cursor, key| {
        match key {
            b"type" => cursor.text_to(&mut identity.kind)?,
            b"principalId" => cursor.text_to(&mut identity.principal_id)?,
            b"arn" => cursor.text_to(&mut identity.arn)?,
            b"accountId" => cursor.text_to(&mut identity.account)?,
            b"accessKeyId" => cursor.text_to(&mut identity.key)?,
            b"userName" => cursor.text_to(&mut identity.user)?,
            b"invokedBy" => cursor.text_to(&mut identity.invoked_by)?,
            b"sessionContext" => session(cursor, &mut identity.session)?,
            b"onBehalfOf" => text_of(cursor, b"userId", &mut identity.on_behalf_of)?,
            _ => cursor.pass()?,
        }
        Ok(())
    })?;
    Ok(())
}

fn session<'a>(cursor: &mut Cursor<'a>, session: &mut Session<'a>) -> Result<(), Broken> {
    *session = Session::default();
    cursor.object(|cursor, key| {
        match key {
            b"attributes" => {
                (session.created, session.mfa) = (None, None);
                cursor.object(|cursor, key| {
                    match key {
                        b"creationDate" => cursor.text_to(&mut session.created)?,
                        b"mfaAuthenticated" => cursor.text_to(&mut session.mfa)?,
                        _ => cursor.pass()?,
                    }
                    Ok(())
                })?;
            }
            b"sourceIdentity" => cursor.text_to(&mut session.source_identity)?,
            b"ec2RoleDelivery" => cursor.text_to(&mut session.role_delivery)?,
            _ => cursor.pass()?,
        }
        Ok(())
    })?;
    Ok(())
}

fn parameters<'a>(cursor: &mut Cursor<'a>, parameters: &mut Parameters<'a>) -> Result<(), Broken> {
    *parameters = Parameters::default();
    cursor.object(|cursor, key| {
        match key {
            b"bucketName" => cursor.text_to(&mut parameters.bucket)?,
            b"key" => cursor.text_to(&mut parameters.key)?,
            _ => match naming(key) {
                Some(place) => {
                    let text = cursor.text()?;
                    parameters.name(place, text);
                }
                None => cursor.pass()?,
            },
        }
        Ok(())
    })?;
    Ok(())
}

fn response<'a>(cursor: &mut Cursor<'a>, response: &mut Response<'a>) -> Result<(), Broken> {
    *response = Response::default();
    cursor.object(|cursor, key| {
        match key {
            b"ConsoleLogin" => cursor.text_to(&mut response.console_login)?,
            b"credentials" | b"accessKey" => {
                cursor.object(|cursor, key| {
                    match key {
                        b"accessKeyId" => cursor.text_to(&mut response.made_key)?,
                        _ => cursor.pass()?,
                    }
                    Ok(())
                })?;
            }
            _ => cursor.pass()?,
        }
        Ok(())
    })?;
    Ok(())
}

fn extra<'a>(cursor: &mut Cursor<'a>, extra: &mut Extra<'a>) -> Result<(), Broken> {
    *extra = Extra::default();
    cursor.object(|cursor, key| {
        match key {
            b"MFAUsed" => cursor.text_to(&mut extra.mfa_used)?,
            b"bytesTransferredOut" => extra.bytes_out = cursor.number()?,
            b"bytesTransferredIn" => extra.bytes_in = cursor.number()?,
            _ => cursor.pass()?,
        }
        Ok(())
    })?;
    Ok(())
}

fn resource<'a>(cursor: &mut Cursor<'a>, resource: &mut Resource<'a>) -> Result<(), Broken> {
    *resource = Resource::default();
    let mut is_first = true;
    cursor.array(|cursor| {
        if !std::mem::take(&mut is_first) {
            return cursor.skip().map(drop);
        }
        cursor.object(|cursor, key| {
            match key {
                b"ARN" => cursor.text_to(&mut resource.arn)?,
                b"type" => cursor.text_to(&mut resource.kind)?,
                _ => cursor.pass()?,
            }
            Ok(())
        })?;
        Ok(())
    })
}
