//! Records of the audit files of Jira, Confluence and Bitbucket Data Center: one JSON object each.

use std::fmt::{self, Write};

use crate::story::acts::{AuditAct, AuditRecord, GROUPS, Product, User};
use crate::story::estate::{DOMAIN, Estate, dotted, repository};
use crate::story::ids::Uuid;

/// The parts of a record that its act alone decides.
struct Form {
    action: &'static str,
    key: &'static str,
    area: &'static str,
    category: &'static str,
    category_key: &'static str,
    level: &'static str,
}

const fn form(act: AuditAct) -> Form {
    let (action, key, area, category, category_key, level) = match act {
        AuditAct::LoggedIn => (
            "User logged in",
            "jira.auditing.user.login.success",
            "SECURITY",
            "security",
            "jira.auditing.category.security",
            "FULL",
        ),
        AuditAct::UserCreated(_) => (
            "User created",
            "jira.auditing.user.created",
            "USER_MANAGEMENT",
            "user management",
            "jira.auditing.category.usermanagement",
            "BASE",
        ),
        AuditAct::AddedToGroup(..) => (
            "User added to group",
            "jira.auditing.user.added.to.group",
            "USER_MANAGEMENT",
            "group management",
            "jira.auditing.category.groupmanagement",
            "BASE",
        ),
        AuditAct::Deactivated(_) => (
            "User updated",
            "jira.auditing.user.updated",
            "USER_MANAGEMENT",
            "user management",
            "jira.auditing.category.usermanagement",
            "BASE",
        ),
        AuditAct::RepositoryAccessed(_) => (
            "Repository accessed by user",
            "bitbucket.service.repository.audit.action.repositoryaccessed",
            "END_USER_ACTIVITY",
            "Repositories",
            "bitbucket.service.audit.category.repositories",
            "FULL",
        ),
        AuditAct::TokenCreated(_) => (
            "Repository access token created",
            "bitbucket.access.tokens.audit.action.accesstokencreated.repository",
            "PERMISSIONS",
            "Access tokens",
            "bitbucket.access.tokens.audit.category.accesstokens",
            "BASE",
        ),
    };
    Form { action, key, area, category, category_key, level }
}

/// Returns whether a record is written at the level BASE.
pub fn is_base(record: &AuditRecord) -> bool {
    form(record.act).level == "BASE"
}

/// Returns what stands for a record in `labels.csv`: the product, the millisecond and the action's key. Audit files give
/// records no ids.
pub fn event_id(record: &AuditRecord) -> String {
    format!("{}:{}:{}", record.product.name(), record.time_us.div_euclid(1_000), form(record.act).key)
}

/// Returns a user's id in a product.
fn user_id(product: Product, user: User) -> String {
    let number = match user {
        User::Person(number) => 1_100 + u64::from(number),
        User::Service(service) => 440 + service as u64,
        User::Admin => 1,
        User::Security => 2,
        User::Intruder => 877,
        User::Token | User::System => 878,
    };
    if product == Product::Bitbucket { number.to_string() } else { format!("JIRAUSER{}", 10_000 + number) }
}

/// Appends a record.
pub fn write(out: &mut String, estate: &Estate, record: &AuditRecord) -> fmt::Result {
    let form = form(record.act);
    let name = record.product.name();
    out.push_str("{\"affectedObjects\":[");
    let object = |out: &mut String, user: User| {
        write!(
            out,
            "{{\"id\":\"{}\",\"name\":\"{}\",\"type\":\"USER\"}}",
            user_id(record.product, user),
            estate.name(user)
        )
    };
    match record.act {
        AuditAct::LoggedIn => {}
        AuditAct::UserCreated(user) | AuditAct::Deactivated(user) => object(out, user)?,
        AuditAct::AddedToGroup(user, group) => {
            write!(out, "{{\"name\":\"{}\",\"type\":\"GROUP\"}},", GROUPS[usize::from(group) % GROUPS.len()])?;
            object(out, user)?;
        }
        AuditAct::RepositoryAccessed(number) | AuditAct::TokenCreated(number) => {
            let (project, repository) = repository(number);
            write!(
                out,
                "{{\"id\":\"{}\",\"name\":\"{project}\",\"type\":\"PROJECT\"}},\
                 {{\"id\":\"{}\",\"name\":\"{repository}\",\"type\":\"REPOSITORY\"}}",
                2 + number % 6,
                19 + number,
            )?;
        }
    }
    let kind = if record.product == Product::Bitbucket { "NORMAL" } else { "user" };
    write!(
        out,
        "],\"auditType\":{{\"action\":\"{}\",\"actionI18nKey\":\"{}\",\"area\":\"{}\",\"category\":\"{}\",\
         \"categoryI18nKey\":\"{}\",\"level\":\"{}\"}},\"author\":{{\"id\":\"{}\",\"name\":\"{}\",\"type\":\"{kind}\"}},\
         \"changedValues\":[",
        form.action,
        form.key,
        form.area,
        form.category,
        form.category_key,
        form.level,
        user_id(record.product, record.author),
        estate.name(record.author),
    )?;
    match record.act {
        AuditAct::UserCreated(user) => write!(
            out,
            "{{\"i18nKey\":\"common.words.username\",\"key\":\"Username\",\"to\":\"{0}\"}},\
             {{\"i18nKey\":\"common.words.email\",\"key\":\"Email\",\"to\":\"{0}@{DOMAIN}\"}}",
            estate.name(user)
        )?,
        AuditAct::Deactivated(_) => out.push_str(
            "{\"from\":\"Active\",\"i18nKey\":\"admin.common.phrases.active.inactive\",\"key\":\"Active / Inactive\",\
             \"to\":\"Inactive\"}",
        ),
        _ => {}
    }
    out.push_str("],\"extraAttributes\":[");
    if let AuditAct::RepositoryAccessed(number) = record.act {
        let (project, repository) = repository(number);
        write!(
            out,
            "{{\"name\":\"target\",\"nameI18nKey\":\"bitbucket.audit.attribute.legacy.target\",\
             \"value\":\"{project}/{repository}\"}}"
        )?;
    }
    write!(
        out,
        "],\"method\":\"Browser\",\"node\":\"{}\",\"source\":\"{}\",\"system\":\"https://{name}.{DOMAIN}\",\
         \"timestamp\":{{\"epochSecond\":{},\"nano\":{}}},\"version\":\"1.0\"}}",
        Uuid(estate.seed ^ record.product as u64),
        dotted(record.source),
        record.time_us.div_euclid(1_000_000),
        record.time_us.rem_euclid(1_000_000) * 1_000,
    )
}
