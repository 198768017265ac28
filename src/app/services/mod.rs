//! The services: driving ports implemented over driven ports. They import the domain and the ports, nothing else.
