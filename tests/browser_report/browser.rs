//! Chromium without a window: opens a page as somebody would see it, and hears everything that it does besides.

use headless_chrome::browser::default_executable;
use headless_chrome::protocol::cdp::types::{Event, Method};
use headless_chrome::{Browser, LaunchOptions, Tab};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

macro_rules! command {
    ($name:ident, $method:literal) => {
        #[derive(Debug, Serialize)]
        #[serde(transparent)]
        struct $name(Value);

        impl Method for $name {
            const NAME: &'static str = $method;
            type ReturnObject = Value;
        }
    };
}

command!(Metrics, "Emulation.setDeviceMetricsOverride");
command!(Media, "Emulation.setEmulatedMedia");
command!(Scripting, "Emulation.setScriptExecutionDisabled");
command!(EachDocument, "Page.addScriptToEvaluateOnNewDocument");
command!(PageOn, "Page.enable");
command!(NetworkOn, "Network.enable");
command!(RuntimeOn, "Runtime.enable");
command!(LogOn, "Log.enable");
command!(Evaluate, "Runtime.evaluate");
command!(Mouse, "Input.dispatchMouseEvent");
command!(Key, "Input.dispatchKeyEvent");
command!(Screenshot, "Page.captureScreenshot");

/// One browser at a time: the tests share a small machine.
static ALONE: Mutex<()> = Mutex::new(());

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
    pub scripting: bool,
    pub media: &'static str,
}

pub const DESKTOP: Look = Look {
    width: 1280,
    dark: false,
    scripting: true,
    media: "screen",
};
pub const PHONE: Look = Look {
    width: 360,
    ..DESKTOP
};

/// A page in a browser of its own.
pub struct Shown {
    tab: Arc<Tab>,
    heard: Arc<Mutex<Vec<String>>>,
    url: String,
    _browser: Browser,
    _folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Shown {
    /// Opens a page that stands alone in a file.
    pub fn open(html: &str, look: Look) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        std::fs::write(&file, html).unwrap();
        let url = format!("file://{}", file.display());
        let path = default_executable().expect("no Chromium: run .ci/prerequisites test");
        let options = LaunchOptions {
            path: Some(path),
            // Root cannot have Chromium's own sandbox; the pages are ours.
            sandbox: false,
            idle_browser_timeout: Duration::from_secs(120),
            ..LaunchOptions::default()
        };
        let browser = Browser::new(options).expect("Chromium does not start");
        let tab = browser.new_tab().unwrap();
        tab.set_default_timeout(Duration::from_secs(60));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let shown = Self {
            tab,
            heard,
            url,
            _browser: browser,
            _folder: folder,
            _alone: alone,
        };
        shown.listen();
        shown.look(look);
        shown
            .tab
            .navigate_to(&shown.url)
            .unwrap()
            .wait_until_navigated()
            .unwrap();
        shown
    }

    fn listen(&self) {
        let nothing = || json!({});
        self.tab.call_method(PageOn(nothing())).unwrap();
        self.tab.call_method(NetworkOn(nothing())).unwrap();
        self.tab.call_method(RuntimeOn(nothing())).unwrap();
        self.tab.call_method(LogOn(nothing())).unwrap();
        let (heard, url) = (Arc::clone(&self.heard), self.url.clone());
        let listener = move |event: &Event| {
            let said = match event {
                Event::RuntimeConsoleAPICalled(e) => format!("console: {:?}", e.params.args),
                Event::RuntimeExceptionThrown(e) => {
                    format!("exception: {:?}", e.params.exception_details)
                }
                Event::LogEntryAdded(e) => format!("log: {}", e.params.entry.text),
                Event::PageJavascriptDialogOpening(e) => format!("dialog: {}", e.params.message),
                Event::PageWindowOpen(e) => format!("window: {}", e.params.url),
                Event::NetworkRequestWillBeSent(e) if e.params.request.url != url => {
                    format!("request: {}", e.params.request.url)
                }
                _ => return,
            };
            heard.lock().unwrap().push(said);
        };
        // The tab keeps it.
        let _ = self.tab.add_event_listener(Arc::new(listener)).unwrap();
        let violations = "window.violations = []; addEventListener('securitypolicyviolation', (e) => \
             violations.push(`${e.violatedDirective} ${e.blockedURI}`));";
        self.tab
            .call_method(EachDocument(json!({ "source": violations })))
            .unwrap();
    }

    fn look(&self, look: Look) {
        let mobile = look.width < 600;
        let height = if mobile { 740 } else { 900 };
        let metrics = json!({ "width": look.width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.tab.call_method(Metrics(metrics)).unwrap();
        let scheme = if look.dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tab
            .call_method(Media(json!({ "media": look.media, "features": features })))
            .unwrap();
        self.tab
            .call_method(Scripting(json!({ "value": !look.scripting })))
            .unwrap();
    }

    /// Everything that the page said, asked for or was refused.
    pub fn heard(&self) -> Vec<String> {
        // What is under way arrives before the answer to a later question.
        let violations = self.eval("window.violations");
        let mut heard = self.heard.lock().unwrap().clone();
        heard.extend(
            violations
                .as_array()
                .into_iter()
                .flatten()
                .map(|v| format!("violation: {v}")),
        );
        heard
    }

    /// The value of an expression in the page.
    pub fn eval(&self, expression: &str) -> Value {
        let question =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.tab.call_method(Evaluate(question)).unwrap();
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// A number in the page.
    pub fn number(&self, expression: &str) -> f64 {
        let value = self.eval(expression);
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{expression} is {value}"))
    }

    /// A text in the page.
    pub fn text(&self, expression: &str) -> String {
        let value = self.eval(expression);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is {value}"))
            .to_owned()
    }

    fn mouse(&self, mut event: Value, (x, y): (f64, f64)) {
        event["x"] = json!(x);
        event["y"] = json!(y);
        self.tab.call_method(Mouse(event)).unwrap();
    }

    /// Moves the pointer.
    pub fn point(&self, at: (f64, f64)) {
        self.mouse(json!({ "type": "mouseMoved" }), at);
    }

    /// Presses the button at one place and lets it go at another.
    pub fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        self.point(from);
        let button = |kind: &str, held: u8| json!({ "type": kind, "button": "left", "buttons": held, "clickCount": 1 });
        self.mouse(button("mousePressed", 1), from);
        self.mouse(button("mouseMoved", 1), ((from.0 + to.0) / 2.0, from.1));
        self.mouse(button("mouseMoved", 1), to);
        self.mouse(button("mouseReleased", 0), to);
    }

    /// Turns the wheel, with Ctrl held or not.
    pub fn wheel(&self, at: (f64, f64), delta: f64, ctrl: bool) {
        let modifiers = if ctrl { 2 } else { 0 };
        self.mouse(
            json!({ "type": "mouseWheel", "deltaX": 0, "deltaY": delta, "modifiers": modifiers }),
            at,
        );
    }

    /// Presses a key.
    pub fn key(&self, key: &str) {
        let text = if key.chars().count() == 1 {
            json!(key)
        } else {
            Value::Null
        };
        let mut down = json!({ "type": "keyDown", "key": key });
        if !text.is_null() {
            down["text"] = text;
        }
        self.tab.call_method(Key(down)).unwrap();
        self.tab
            .call_method(Key(json!({ "type": "keyUp", "key": key })))
            .unwrap();
    }

    /// The page as a picture, all of it, for people.
    pub fn screenshot(&self, file: &std::path::Path) {
        use base64::Engine;
        let whole = json!({ "format": "png", "captureBeyondViewport": true, "clip": {
            "x": 0, "y": 0, "scale": 1,
            "width": self.number("innerWidth"),
            "height": self.number("document.documentElement.scrollHeight"),
        }});
        let answer = self.tab.call_method(Screenshot(whole)).unwrap();
        let picture = base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(file, picture).unwrap();
    }
}
