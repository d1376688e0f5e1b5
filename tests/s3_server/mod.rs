//! An S3 server over a local folder, on a free port of 127.0.0.1, with faults on demand.
//!
//! Listing, PUT, DELETE and signature checks are those of s3s-fs. HEAD and GET are served here, because s3s-fs
//! gives no ETag in listings, ignores If-Match on GET and hashes the whole file for each range. The conditions of a PUT
//! are checked here, one PUT at a time.

#![allow(dead_code)] // Each test file that includes this module uses its own share of it.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadBucketInput,
    HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput,
    PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

/// The faults of a server, adjustable while it runs, and the counts of what it served.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Every n-th request is answered with 503 SlowDown; 0 for never.
    pub slow_down_every: AtomicU64,
    /// Every n-th GET sends half of the bytes it promises; 0 for never.
    pub truncate_every: AtomicU64,
    /// Milliseconds that every request waits.
    pub latency_ms: AtomicU64,
    /// 1 refuses every GET with AccessDenied.
    pub deny_get: AtomicU64,
    /// GETs of keys that contain this are refused with AccessDenied; empty for none.
    pub deny_keys: Mutex<String>,
    /// GETs of keys that contain this are refused with InvalidObjectState, as of archived objects; empty for none.
    pub archived_keys: Mutex<String>,
    /// So many of the next conditional PUTs are answered with 409, as if another PUT of the object were under way.
    pub conflicts: AtomicU64,
    /// All requests that passed the signature check, refused ones too.
    pub requests: AtomicU64,
    /// Requests answered with 503.
    pub slowed_down: AtomicU64,
    /// LIST requests served.
    pub lists: AtomicU64,
    /// GET requests served.
    pub gets: AtomicU64,
    /// Bytes of GET bodies.
    pub get_bytes: AtomicU64,
}

impl Traffic {
    /// Sets all counts (not the faults) to zero.
    pub fn reset_counts(&self) {
        for count in [&self.requests, &self.slowed_down, &self.lists, &self.gets, &self.get_bytes] {
            count.store(0, Relaxed);
        }
    }
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct S3Server {
    /// `http://127.0.0.1:PORT`.
    pub endpoint_url: String,
    /// Faults and counts.
    pub traffic: Arc<Traffic>,
    root: PathBuf,
    runtime: Option<tokio::runtime::Runtime>,
}

/// The only credentials that the server knows.
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// The secret of [`ACCESS_KEY`].
pub const SECRET_KEY: &str = "secret-of-the-example";

impl S3Server {
    /// Serves `root`, whose folders are the buckets, on threads of its own; with `open`, unsigned requests pass too.
    pub fn start(root: &Path, open: bool) -> Self {
        let traffic = Arc::new(Traffic::default());
        let fs = FileSystem::new(root).expect("the root of the server exists");
        let disk = Disk { fs, root: root.to_owned(), traffic: traffic.clone(), swaps: tokio::sync::Mutex::default() };
        let mut service = S3ServiceBuilder::new(disk);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        service.set_access(Gate { open, traffic: traffic.clone() });
        let service = service.build();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = socket.set_nodelay(true);
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { endpoint_url: format!("http://{address}"), traffic, root: root.to_owned(), runtime: Some(runtime) }
    }

    /// Writes an object straight into the folder, past HTTP.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let path = self.root.join(bucket).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // May be dropped inside a test's own runtime, where waiting is forbidden.
            runtime.shutdown_background();
        }
    }
}

/// Counts and delays every request and refuses some.
struct Gate {
    open: bool,
    traffic: Arc<Traffic>,
}

/// Tells whether this is one of every `every`.
fn is_due(number: u64, every: &AtomicU64) -> bool {
    let every = every.load(Relaxed);
    every > 0 && number.is_multiple_of(every)
}

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let number = self.traffic.requests.fetch_add(1, Relaxed) + 1;
        let latency_ms = self.traffic.latency_ms.load(Relaxed);
        if latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(latency_ms)).await;
        }
        if context.credentials().is_none() && !self.open {
            return Err(s3_error!(AccessDenied, "Anonymous access is forbidden"));
        }
        if is_due(number, &self.traffic.slow_down_every) {
            self.traffic.slowed_down.fetch_add(1, Relaxed);
            return Err(s3_error!(SlowDown, "Please reduce your request rate."));
        }
        Ok(())
    }
}

struct Disk {
    fs: FileSystem,
    root: PathBuf,
    traffic: Arc<Traffic>,
    /// Held from the check of a condition to the end of its PUT.
    swaps: tokio::sync::Mutex<()>,
}

/// What HEAD and GET tell of a file.
struct Facts {
    path: PathBuf,
    size: u64,
    etag: String,
    modified: Timestamp,
}

impl Disk {
    fn facts(&self, bucket: &str, key: &str) -> S3Result<Facts> {
        let path = self.root.join(bucket).join(key);
        let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file).ok_or_else(|| s3_error!(NoSuchKey))?;
        let modified = metadata.modified().map_err(|error| s3_error!(error, InternalError))?;
        let nanos = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        // Two writes may share a tick of the file system's clock; each is a file of its own.
        let etag = format!("{nanos:x}-{:x}-{:x}", metadata.ino(), metadata.len());
        Ok(Facts { path, size: metadata.len(), etag, modified: modified.into() })
    }
}

/// Refuses a request whose If-Match names another version.
fn check_match(condition: Option<&ETagCondition>, etag: &str) -> S3Result<()> {
    match condition.and_then(ETagCondition::as_etag) {
        Some(wanted) if wanted.value() != etag => Err(s3_error!(PreconditionFailed, "The object has changed")),
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl S3 for Disk {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.fs.head_bucket(request).await
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let (if_match, if_none_match) = (&request.input.if_match, &request.input.if_none_match);
        let is_conditional = if_match.is_some() || if_none_match.is_some();
        let _alone = self.swaps.lock().await;
        if is_conditional {
            let conflicts = &self.traffic.conflicts;
            if conflicts.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                return Err(s3_error!(ConditionalRequestConflict, "A conflicting operation is under way"));
            }
            match self.facts(&bucket, &key) {
                Ok(_) if if_none_match.is_some() => return Err(s3_error!(PreconditionFailed, "It exists")),
                Ok(facts) => check_match(if_match.as_ref(), &facts.etag)?,
                Err(missing) if if_match.is_some() => return Err(missing),
                Err(_) => {}
            }
            // s3s-fs would compare with an ETag of its own.
            (request.input.if_match, request.input.if_none_match) = (None, None);
        }
        let mut response = self.fs.put_object(request).await?;
        response.output.e_tag = Some(ETag::Strong(self.facts(&bucket, &key)?.etag));
        Ok(response)
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.fs.delete_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.traffic.lists.fetch_add(1, Relaxed);
        let bucket = request.input.bucket.clone();
        let mut response = self.fs.list_objects_v2(request).await?;
        for object in response.output.contents.iter_mut().flatten() {
            let facts = self.facts(&bucket, object.key.as_deref().unwrap_or_default())?;
            object.e_tag = Some(ETag::Strong(facts.etag));
        }
        Ok(response)
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let facts = self.facts(&request.input.bucket, &request.input.key)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(facts.size).ok(),
            e_tag: Some(ETag::Strong(facts.etag)),
            last_modified: Some(facts.modified),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let number = self.traffic.gets.fetch_add(1, Relaxed) + 1;
        if self.traffic.deny_get.load(Relaxed) == 1 {
            return Err(s3_error!(AccessDenied, "not authorized to perform: kms:Decrypt"));
        }
        let input = request.input;
        let denied = self.traffic.deny_keys.lock().unwrap().clone();
        if !denied.is_empty() && input.key.contains(&denied) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let archived = self.traffic.archived_keys.lock().unwrap().clone();
        if !archived.is_empty() && input.key.contains(&archived) {
            return Err(s3_error!(InvalidObjectState, "The operation is not valid for the object's storage class"));
        }
        let facts = self.facts(&input.bucket, &input.key)?;
        check_match(input.if_match.as_ref(), &facts.etag)?;
        let (range, content_range) = match input.range {
            None => (0..facts.size, None),
            Some(range) => {
                let range = range.check(facts.size)?;
                let shown = format!("bytes {}-{}/{}", range.start, range.end - 1, facts.size);
                (range, Some(shown))
            }
        };
        let mut length = range.end - range.start;
        let promised = length;
        let is_cut = is_due(number, &self.traffic.truncate_every);
        if is_cut {
            length /= 2;
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(&facts.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(range.start))?;
            file.take(length).read_to_end(&mut bytes)
        });
        read.map_err(|error| s3_error!(error, InternalError))?;
        self.traffic.get_bytes.fetch_add(length, Relaxed);
        let bytes = Bytes::from(bytes);
        let body = if is_cut {
            // A body that fails after its bytes makes the server close the connection.
            let cut = std::io::Error::other("the connection is cut here");
            StreamingBlob::wrap(futures::stream::iter([Ok(bytes), Err(cut)]))
        } else {
            StreamingBlob::from(Body::from(bytes))
        };
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body),
            content_length: i64::try_from(promised).ok(),
            content_range,
            e_tag: Some(ETag::Strong(facts.etag)),
            last_modified: Some(facts.modified),
            ..GetObjectOutput::default()
        }))
    }
}
