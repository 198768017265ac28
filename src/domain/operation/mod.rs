//! The operations: a closed set, each with a typed input, a typed output and an effect.
//!
//! One file per operation; the `operations!` table below is the only list of them. The schemas of the API document
//! are derived from the types in these files.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::Scope;

/// What running an operation once more would do. Decides what becomes of a run whose worker vanished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Changes nothing: safe to re-run.
    Read,
    /// A change that is safe to re-run.
    Idempotent,
    /// Never re-run silently.
    AtMostOnce,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 3] = [Self::Read, Self::Idempotent, Self::AtMostOnce];

    /// The one spelling: in the store and as `x-effect` in the API document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Idempotent => "idempotent",
            Self::AtMostOnce => "at_most_once",
        }
    }

    /// The effect with this spelling.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == word)
    }
}

/// What makes a type an operation. Implemented once in each operation's file.
pub trait Spec {
    /// Its name on the wire, in the store and in metric labels.
    const NAME: &'static str;
    /// What it does, one sentence for the API document.
    const SUMMARY: &'static str;
    /// What a second run would do.
    const EFFECT: Effect;
    /// The scope that a caller needs to run it, beside the one that its route asks for.
    const SCOPE: Scope = Scope::Read;
    /// Whether only workers that allow commands can run it.
    const NEEDS_COMMANDS: bool = false;
    /// The job's `data`.
    type Input: Input;
    /// The execution's `result`.
    type Output: Serialize + DeserializeOwned + JsonSchema;
}

/// The input of an operation. Deserializing it validates it.
pub trait Input: Serialize + DeserializeOwned + JsonSchema {
    /// A run time that the input itself asks for.
    fn timeout(&self) -> Option<Duration> {
        None
    }
}

/// The input of an operation that needs none: `data` may be absent, null or `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoInput {}

impl Input for NoInput {}

/// The name is not one of the operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown operation, expected one of {}", OperationKind::ALL.map(OperationKind::name).join(", "))]
pub struct UnknownOperation;

macro_rules! operations {
    ($($module:ident::$name:ident),+ $(,)?) => {
        $(pub mod $module; pub use $module::$name;)+

        /// The name of an operation, without its input.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum OperationKind {
            $(#[doc = concat!("See [`", stringify!($module), "`].")] $name),+
        }

        impl OperationKind {
            /// Every operation, in the order of the table.
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// Its name on the wire, in the store and in metric labels.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => <$name as Spec>::NAME),+ }
            }

            /// What it does, in one sentence.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => <$name as Spec>::SUMMARY),+ }
            }

            /// What a second run would do.
            #[must_use]
            pub const fn effect(self) -> Effect {
                match self { $(Self::$name => <$name as Spec>::EFFECT),+ }
            }

            /// The scope that a caller needs to run it, beside the one that its route asks for.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self { $(Self::$name => <$name as Spec>::SCOPE),+ }
            }

            /// Whether only workers that allow commands can run it.
            #[must_use]
            pub const fn needs_commands(self) -> bool {
                match self { $(Self::$name => <$name as Spec>::NEEDS_COMMANDS),+ }
            }

            /// The name of its type: `node.hostname.get` is `NodeHostnameGet`. Used to name its schemas.
            #[must_use]
            pub const fn type_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// The schema of its `data`.
            #[must_use]
            pub fn input_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self { $(Self::$name => <$name as Spec>::Input::json_schema(generator)),+ }
            }

            /// The schema of its `result`.
            #[must_use]
            pub fn output_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self { $(Self::$name => <$name as Spec>::Output::json_schema(generator)),+ }
            }
        }

        /// An operation with its input: what a job does.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Operation {
            $(#[doc = concat!("See [`", stringify!($module), "`].")] $name(<$name as Spec>::Input)),+
        }

        impl Operation {
            /// Which operation it is.
            #[must_use]
            pub const fn kind(&self) -> OperationKind {
                match self { $(Self::$name(_) => OperationKind::$name),+ }
            }

            /// Reads the `data` of an operation of this kind; an operation without input reads `{}`.
            ///
            /// # Errors
            /// When the data is not a valid input.
            pub fn deserialize<'de, D: Deserializer<'de>>(kind: OperationKind, data: D) -> Result<Self, D::Error> {
                match kind { $(OperationKind::$name => Deserialize::deserialize(data).map(Self::$name)),+ }
            }

            /// The run time that the input itself asks for.
            #[must_use]
            pub fn own_timeout(&self) -> Option<Duration> {
                match self { $(Self::$name(input) => input.timeout()),+ }
            }

            fn to_raw(&self) -> Result<Box<RawValue>, serde_json::Error> {
                match self { $(Self::$name(input) => serde_json::value::to_raw_value(input)),+ }
            }
        }

        /// What an operation returned.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Output {
            $(#[doc = concat!("See [`", stringify!($module), "`].")] $name(<$name as Spec>::Output)),+
        }
    };
}

operations! {
    node_hostname_get::NodeHostnameGet,
    node_status_get::NodeStatusGet,
    node_uptime_get::NodeUptimeGet,
    node_os_get::NodeOsGet,
    node_load_get::NodeLoadGet,
    node_memory_get::NodeMemoryGet,
    node_disk_get::NodeDiskGet,
    network_dns_get::NetworkDnsGet,
    network_dns_update::NetworkDnsUpdate,
    network_ping::NetworkPing,
    command_exec::CommandExec,
}

impl OperationKind {
    /// Position in [`Self::ALL`], for tables indexed by operation.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The operation with this name.
    ///
    /// # Errors
    /// [`UnknownOperation`], which lists the known names.
    pub fn from_name(name: &str) -> Result<Self, UnknownOperation> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownOperation)
    }
}

impl Operation {
    /// The input as JSON for records and answers; none when there is nothing to say.
    ///
    /// # Errors
    /// When the input cannot be written as JSON.
    pub fn data(&self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        self.to_raw().map(|data| Some(data).filter(|data| data.get() != "{}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for kind in OperationKind::ALL {
            assert_eq!(OperationKind::from_name(kind.name()), Ok(kind));
            assert_eq!(OperationKind::ALL[kind.index()], kind);
        }
        let error = OperationKind::from_name("node.nope").expect_err("unknown");
        assert!(error.to_string().contains("node.memory.get"), "{error}");
    }

    fn read(kind: OperationKind, json: &str) -> Result<Operation, serde_json::Error> {
        Operation::deserialize(kind, &mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn an_operation_without_input_takes_an_empty_object_and_nothing_else() {
        for kind in OperationKind::ALL.into_iter().filter(|kind| kind.name().starts_with("node.")) {
            let operation = read(kind, "{}").expect("an empty object is no input");
            assert_eq!(operation.kind(), kind);
            assert!(operation.data().expect("serializes").is_none());
        }
    }

    #[test]
    fn no_operation_takes_fields_that_it_does_not_know() {
        for kind in OperationKind::ALL {
            let refused = read(kind, r#"{"surprise":1}"#).expect_err(kind.name());
            assert!(refused.to_string().contains("unknown field"), "{kind:?}: {refused}");
        }
    }

    #[test]
    fn the_node_operations_are_reads_for_every_reader() {
        for kind in OperationKind::ALL.into_iter().filter(|kind| kind.name().starts_with("node.")) {
            assert_eq!((kind.effect(), kind.scope()), (Effect::Read, Scope::Read), "{kind:?}");
        }
    }

    #[test]
    fn commands_are_for_administrators_on_hosts_that_allow_them_and_never_repeated() {
        let kind = OperationKind::CommandExec;
        assert_eq!((kind.effect(), kind.scope()), (Effect::AtMostOnce, Scope::Admin));
        let needing: Vec<_> = OperationKind::ALL.into_iter().filter(|kind| kind.needs_commands()).collect();
        assert_eq!(needing, [kind]);
    }

    #[test]
    fn reading_name_servers_is_for_every_reader_and_sending_or_changing_is_not() {
        for (kind, effect, scope) in [
            (OperationKind::NetworkDnsGet, Effect::Read, Scope::Read),
            (OperationKind::NetworkDnsUpdate, Effect::Idempotent, Scope::Write),
            (OperationKind::NetworkPing, Effect::Read, Scope::Write),
        ] {
            assert_eq!((kind.effect(), kind.scope(), kind.needs_commands()), (effect, scope, false), "{kind:?}");
        }
    }
}
