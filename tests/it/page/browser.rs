//! A page in headless Chromium.

use headless_chrome::browser::tab::point::Point;
use headless_chrome::browser::tab::{ModifierKey, Tab};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Input, Log, Network, Runtime};
use headless_chrome::{Browser, LaunchOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where Chromium is, if it is anywhere.
pub fn path() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file())
}

/// A page that is ready.
pub struct Page {
    tab: Arc<Tab>,
    complaints: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<String>>>,
    // Ends with the page.
    _browser: Browser,
}

impl Page {
    /// Opens a file with a fragment of its address, and waits until its graphs are drawn.
    pub fn open(file: &Path, fragment: &str) -> Self {
        Self::open_in(file, fragment, (1_300, 1_000))
    }

    /// Opens a file in a window of this size.
    pub fn open_in(file: &Path, fragment: &str, window: (u32, u32)) -> Self {
        let options = LaunchOptions::default_builder()
            .path(path())
            .sandbox(false)
            .window_size(Some(window))
            .args(
                ["--disable-background-networking", "--disable-gpu", "--force-color-profile=srgb"]
                    .map(AsRef::as_ref)
                    .to_vec(),
            )
            .idle_browser_timeout(Duration::from_secs(300))
            .build()
            .unwrap();
        let browser = Browser::new(options).unwrap();
        let tab = browser.new_tab().unwrap();
        let (complaints, requests) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })
        .unwrap();
        tab.call_method(Runtime::Enable(None)).unwrap();
        tab.call_method(Log::Enable(None)).unwrap();
        let (told, asked) = (Arc::clone(&complaints), Arc::clone(&requests));
        let listener = move |event: &Event| {
            let complaint = match event {
                Event::RuntimeConsoleAPICalled(event) => {
                    Some(format!("{:?} {:?}", event.params.Type, event.params.args))
                }
                Event::RuntimeExceptionThrown(event) => Some(format!("{:?}", event.params.exception_details)),
                Event::LogEntryAdded(event) => Some(event.params.entry.text.clone()),
                Event::PageJavascriptDialogOpening(event) => Some(event.params.message.clone()),
                Event::NetworkRequestWillBeSent(event) => {
                    let url = &event.params.request.url;
                    if !url.starts_with("file:///") && !url.starts_with("data:") {
                        asked.lock().unwrap().push(url.clone());
                    }
                    None
                }
                _ => None,
            };
            told.lock().unwrap().extend(complaint);
        };
        tab.add_event_listener(Arc::new(listener)).unwrap();
        tab.navigate_to(&format!("file://{}{fragment}", file.display())).unwrap().wait_until_navigated().unwrap();
        let page = Page { tab, complaints, requests, _browser: browser };
        page.wait("document.documentElement.dataset.ready === 'true' || !document.getElementById('failure').hidden");
        page
    }

    /// What was written to the console, thrown, or asked of the user.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    /// What was asked of a network.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until a complaint contains this text.
    pub fn wait_for_complaint(&self, text: &str) {
        let begin = Instant::now();
        while !self.complaints().iter().any(|complaint| complaint.contains(text)) {
            assert!(
                begin.elapsed() < Duration::from_secs(60),
                "nothing complains of `{text}`: {:?}",
                self.complaints()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a condition is true.
    pub fn wait(&self, condition: &str) {
        let begin = Instant::now();
        while self.text(&format!("String({condition})")) != "true" {
            assert!(begin.elapsed() < Duration::from_secs(60), "`{condition}` does not come true");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text that an expression gives.
    pub fn text(&self, expression: &str) -> String {
        let object = self.tab.evaluate(expression, true).unwrap_or_else(|error| panic!("{expression}: {error}"));
        match object.value {
            Some(serde_json::Value::String(text)) => text,
            other => panic!("{expression} gave {other:?}"),
        }
    }

    /// The numbers that an expression gives.
    pub fn numbers(&self, expression: &str) -> Vec<f64> {
        serde_json::from_str(&self.text(&format!("JSON.stringify({expression})"))).unwrap()
    }

    /// Until what was asked for is drawn: two frames, and the tables after them.
    fn settle(&self) {
        self.text("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => setTimeout(() => done('drawn')), 1))))");
    }

    /// Brings an element into the middle of the window.
    pub fn scroll_to(&self, selector: &str) {
        self.text(&format!("(document.querySelector('{selector}').scrollIntoView({{block: 'center'}}), '')"));
        self.settle();
    }

    fn mouse(&self, kind: Input::DispatchMouseEventTypeOption, (x, y): (f64, f64), shift: bool, is_down: bool) {
        let button = if is_down { Input::MouseButton::Left } else { Input::MouseButton::None };
        self.tab
            .call_method(Input::DispatchMouseEvent {
                Type: kind,
                x,
                y,
                modifiers: Some(if shift { 8 } else { 0 }),
                timestamp: None,
                button: Some(button),
                buttons: Some(u32::from(is_down)),
                click_count: Some(u32::from(is_down)),
                force: None,
                tangential_pressure: None,
                tilt_x: None,
                tilt_y: None,
                twist: None,
                delta_x: None,
                delta_y: None,
                pointer_Type: None,
            })
            .unwrap();
    }

    /// Moves the pointer.
    pub fn hover(&self, at: (f64, f64)) {
        self.tab.move_mouse_to_point(Point { x: at.0 - 30.0, y: at.1 }).unwrap();
        self.tab.move_mouse_to_point(Point { x: at.0, y: at.1 }).unwrap();
        self.settle();
    }

    /// Clicks there.
    pub fn click(&self, at: (f64, f64)) {
        self.hover(at);
        self.mouse(Input::DispatchMouseEventTypeOption::MousePressed, at, false, true);
        self.mouse(Input::DispatchMouseEventTypeOption::MouseReleased, at, false, true);
        self.settle();
    }

    /// Presses the mouse, moves and lets go.
    pub fn drag(&self, from: (f64, f64), to: (f64, f64), shift: bool) {
        self.hover(from);
        self.mouse(Input::DispatchMouseEventTypeOption::MousePressed, from, shift, true);
        for part in [0.3, 0.7, 1.0] {
            let at = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
            self.mouse(Input::DispatchMouseEventTypeOption::MouseMoved, at, shift, true);
            self.settle();
        }
        self.mouse(Input::DispatchMouseEventTypeOption::MouseReleased, to, shift, true);
        self.settle();
    }

    /// Clicks on an element, and gives it the keyboard.
    pub fn click_on(&self, selector: &str) {
        self.text(&format!(
            "(element => {{ element.focus(); element.click(); return ''; }})(document.querySelector('{selector}'))"
        ));
        self.settle();
    }

    /// Presses a key.
    pub fn press(&self, key: &str) {
        self.tab.press_key_with_modifiers(key, None::<&[ModifierKey]>).unwrap();
        self.settle();
    }

    /// Types into an input in place of what is there.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.text(&format!(
            "(input => {{ input.focus(); input.select(); return ''; }})(document.querySelector('{selector}'))"
        ));
        self.tab.type_str(text).unwrap();
        self.settle();
    }

    /// Makes the window as large as a screen.
    pub fn resize(&self, width: u32, height: u32) {
        self.tab
            .call_method(Emulation::SetDeviceMetricsOverride {
                width,
                height,
                device_scale_factor: 2.0,
                mobile: true,
                scale: None,
                screen_width: None,
                screen_height: None,
                position_x: None,
                position_y: None,
                dont_set_visible_size: None,
                screen_orientation: None,
                viewport: None,
                display_feature: None,
                device_posture: None,
            })
            .unwrap();
        self.settle();
    }

    /// The page as it is printed.
    pub fn pdf(&self) -> Vec<u8> {
        self.tab.print_to_pdf(None).unwrap()
    }
}
