//! The client programs of a story.

macro_rules! agents {
    ($($name:ident = $text:literal, $os:literal, $browser:literal;)*) => {
        /// A client program.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Agent { $(#[doc = $text] $name,)* }

        impl Agent {
            /// Returns what it calls itself, and the words that Okta has for its system and its browser.
            pub const fn texts(self) -> (&'static str, &'static str, &'static str) {
                match self { $(Self::$name => ($text, $os, $browser),)* }
            }
        }
    };
}

agents! {
    ChromeMac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36", "Mac OS X", "CHROME";
    ChromeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36", "Windows 10", "CHROME";
    EdgeWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.2151.58", "Windows 10", "EDGE";
    SafariMac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15", "Mac OS X", "SAFARI";
    FirefoxLinux = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/119.0", "Linux", "FIREFOX";
    Git = "git/2.42.0", "Unknown", "UNKNOWN";
    OpenSsh = "SSH-2.0-OpenSSH_9.2", "Unknown", "UNKNOWN";
    DeployCli = "aws-cli/2.13.25 Python/3.11.5 Linux/5.15.0-1047-aws exe/x86_64.ubuntu.22", "Linux", "UNKNOWN";
    ReportBoto = "Boto3/1.28.62 md/Botocore#1.31.62 ua/2.0 os/linux#5.15.0 md/arch#x86_64 lang/python#3.10.12", "Linux", "UNKNOWN";
    Systems = "aws-sdk-go/1.44.260 (go1.20.8; linux; amd64) amazon-ssm-agent/3.2.1705.0", "Linux", "UNKNOWN";
    AppSdk = "aws-sdk-java/2.20.162 Linux/5.10.197 OpenJDK_64-Bit_Server_VM/17.0.9 Java/17.0.9", "Linux", "UNKNOWN";
    Supplier = "SheetSync/4.2 (+https://sheetsync.example.net)", "Unknown", "UNKNOWN";
    IntruderScript = "python-requests/2.31.0", "Unknown", "UNKNOWN";
    IntruderCli = "aws-cli/2.13.32 Python/3.11.6 Linux/6.5.0-kali3-amd64 exe/x86_64.kali.2023", "Linux", "UNKNOWN";
    IntruderBrowser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0 Safari/537.36", "Windows 10", "CHROME";
    IntruderCurl = "curl/7.88.1", "Unknown", "UNKNOWN";
}
